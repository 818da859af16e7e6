"""The denoiser's predictions for the jobs of a tick."""

import asyncio
from collections.abc import Sequence

import torch

from pipeline.denoising.batching import Step, group_compatible, stack
from pipeline.denoising.sampling import Made, advanced
from pipeline.tryon.job import DenoisingJob
from pipeline.tryon.models import Models


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

        Jobs of the same model and shapes share a call.
        """
        denoisings = [job.denoising for job in jobs]
        await asyncio.gather(*(it.prepare() for it in denoisings if it.needs_preparation))
        steps = [Step(it.model, it.inputs()) for it in denoisings]
        predictions: dict[int, torch.Tensor | Made] = {}

        async def call(positions: list[int]) -> None:
            batch = stack([steps[position] for position in positions], self._batch_sizes)
            outputs = await self._models(steps[positions[0]].model, batch.inputs, ["model_output"])
            parts = batch.split(torch.from_dlpack(outputs["model_output"]))
            made = advanced([denoisings[position] for position in positions], parts)
            predictions.update(zip(positions, made, strict=True))

        await asyncio.gather(*(call(positions) for positions in group_compatible(steps)))
        return [predictions[position] for position in range(len(steps))]
