"""Jobs and a network for tests of the stepper."""

import asyncio

from pipeline.denoising.scheduler import Scheduler
from pipeline.denoising.stepper import Stepper


class CountingJob:
    """A job that needs `steps` predictions, each of which must be its own name."""

    def __init__(self, name, steps, live=True, rows=1, cancel_after=None, patient=False):
        self.name, self.steps, self.live, self.rows, self.patient = name, steps, live, rows, patient
        self.cancel_after = cancel_after
        self.step = 0

    @property
    def done(self):
        return self.step == self.steps

    def cancelled(self):
        return self.cancel_after is not None and self.step >= self.cancel_after

    def advance(self, prediction):
        assert prediction == self.name, "a job was handed another's prediction"
        self.step += 1


class Network:
    """Predicts each job's name, and remembers who was in which tick."""

    def __init__(self, poison=None):
        self.ticks = []
        self.poison = poison

    async def __call__(self, jobs):
        self.ticks.append([job.name for job in jobs])
        await asyncio.sleep(0)
        if self.poison in self.ticks[-1]:
            raise RuntimeError(f"{self.poison} cannot be predicted")
        return [job.name for job in jobs]


def stepper_for(network, max_rows, capture_interval=3):
    return Stepper(Scheduler(max_rows, capture_interval), network)


async def run_all(stepper, jobs):
    return await asyncio.gather(*(stepper.run(job) for job in jobs), return_exceptions=True)
