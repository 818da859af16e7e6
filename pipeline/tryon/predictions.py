"""The denoiser's predictions for the jobs of a tick."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

import torch

from pipeline.denoising.batching import Step, group_compatible, stack
from pipeline.denoising.sampling import Made, advanced
from pipeline.tryon.job import DenoisingJob
from pipeline.tryon.models import Models

T = TypeVar("T")


class Predictions:
    """
    models: calls a model of the repository.
    batch_sizes: a batch is padded to one of these; none on a CPU.
    """

    def __init__(self, models: Models, batch_sizes: Sequence[int]):
        self._models = models
        self._batch_sizes = batch_sizes

    async def __call__(self, jobs: Sequence[DenoisingJob]) -> list[torch.Tensor | Made]:
        """Every job's prediction for its next step, or what its sampler made of it.

        Jobs of the same model and shapes share a call. If it raises, no job has changed and nothing runs
        any more, so that the same jobs can be predicted again.
        """
        denoisings = [job.denoising for job in jobs]
        await _all(it.prepare() for it in denoisings if it.needs_preparation)
        steps = [Step(it.model, it.inputs()) for it in denoisings]
        groups = group_compatible(steps)

        async def call(positions: list[int]) -> list[torch.Tensor]:
            batch = stack([steps[position] for position in positions], self._batch_sizes)
            outputs = await self._models(steps[positions[0]].model, batch.inputs, ["model_output"])
            return batch.split(torch.from_dlpack(outputs["model_output"]))

        outputs = await _all(call(positions) for positions in groups)
        predictions: dict[int, torch.Tensor | Made] = {}
        for positions, parts in zip(groups, outputs, strict=True):
            # Draws noise, which must happen once for each step: after the last call that may raise.
            made = advanced([denoisings[position] for position in positions], parts)
            predictions.update(zip(positions, made, strict=True))
        return [predictions[position] for position in range(len(steps))]


async def _all(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """`asyncio.gather` that raises when all have ended: until then, the others still use their jobs."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
