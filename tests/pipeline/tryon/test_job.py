import numpy as np

from pipeline.tryon.job import DenoisingJob
from tests.pipeline.tryon.fakes import Client


class Denoising:
    rows, steps, step = 2, 3, 0
    predicted = "z0"

    @property
    def done(self):
        return self.step == self.steps

    def advance(self, output):
        self.step += 1


class Previews:
    def __init__(self):
        self.begun, self.ready = [], None

    def take(self):
        ready, self.ready = self.ready, None
        return ready

    def begin(self, step, steps, latents):
        self.begun.append((step, steps, latents))


def test_the_scheduler_sees_the_denoisings_rows_and_end():
    job = DenoisingJob(Denoising(), True, Client(), None)
    assert (job.rows, job.live, job.done) == (2, True, False)
    for _ in range(3):
        job.advance("output")
    assert job.done


def test_a_capture_reports_each_step_and_a_keyframe_none():
    capture, keyframe = Client(), Client()
    for client, live in ((capture, False), (keyframe, True)):
        job = DenoisingJob(Denoising(), live, client, None)
        for _ in range(3):
            job.advance("output")
    assert capture.told == [(1, 3, None), (2, 3, None), (3, 3, None)]
    assert keyframe.told == []


def test_a_preview_that_is_ready_is_sent_with_the_next_step():
    client, previews = Client(), Previews()
    job = DenoisingJob(Denoising(), False, client, previews)
    job.advance("output")
    previews.ready = np.array([7], np.uint8)
    job.advance("output")
    job.advance("output")
    assert client.told == [(1, 3, None), (2, 3, b"\x07"), (3, 3, None)]
    assert previews.begun == [(1, 3, "z0"), (2, 3, "z0"), (3, 3, "z0")]


def test_a_client_that_went_away_cancels_the_job():
    client = Client()
    job = DenoisingJob(Denoising(), False, client, None)
    assert not job.cancelled()
    client.gone = True
    assert job.cancelled()
