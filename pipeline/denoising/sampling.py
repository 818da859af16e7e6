"""Denoises one job, from noisy latents to clean ones.

For a checkpoint of Stable Diffusion it computes what diffusers' pipelines compute, and draws random numbers
in the same order, so that the same seed gives the same picture.

    z_t   noisy latents at timestep t                                              (1, C, h, w)
    c     conditions: channels beside the latents, further inputs of the network   (rows, …)
    g     guidance_scale
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pipeline.denoising.linear_schedules import MADE, NEXT, PREDICTED, Recurrence, multiply
from pipeline.denoising.noise import Noise
from pipeline.denoising.schedule import Schedule

# Further inputs of one step, from the step's number.
AtStep = Callable[[int], Awaitable[Mapping[str, Tensor]]]


@dataclass(frozen=True)
class Conditions:
    """What the network is told beside the latents, the same in every step unless `at_step` says otherwise.

    rows: 2 with classifier-free guidance, and then the unconditional or negative row is the first; else 1.
    channels: (rows, C, h, w), put behind the latents' channels; None: the latents alone are the sample.
    tensors: further inputs of the network by name, (rows, …) each.
    at_step: further inputs that depend on the timestep; awaited before each step.
    """

    rows: int
    channels: Tensor | None = None
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    at_step: AtStep | None = None

    def to(self, device: torch.device) -> "Conditions":
        """The same on another device."""
        channels = None if self.channels is None else self.channels.to(device)
        return replace(self, channels=channels, tensors={n: it.to(device) for n, it in self.tensors.items()})


class Denoising:
    """The state of one job between two steps. All computation is on the device of the network's predictions.

    `model` is the Triton model that predicts. `rows` is the largest number of rows of a step.
    `predicted` is the clean z_0 that the last step predicted, for previews; z_t itself if the sampler does
    not return it.
    """

    def __init__(
        self,
        schedule: Schedule,
        conditions: Conditions,
        latents: Tensor,
        noise: Noise,
        recurrence: Recurrence | None = None,
    ):
        recipe = schedule.recipe
        self._schedule = schedule
        self._conditions = conditions
        self._noise = noise
        self._guidance_scale = recipe.guidance_scale
        self._unguided_from = len(schedule) - recipe.unguided_last_steps
        self._ends_early = recipe.denoising_end < 1
        self._at_step: Mapping[str, Tensor] = {}
        self._recurrence = recurrence
        self._kept: list[Tensor] = []  # by the recurrence
        self.model = recipe.unet
        self.rows = conditions.rows
        self.steps = len(schedule)
        self.step = 0
        self.latents = latents
        self.predicted = latents
        self._accepted = inspect.signature(schedule.sampler.step).parameters
        self._options: dict[str, Any] = {"eta": recipe.eta} if "eta" in self._accepted else {}

    @property
    def done(self) -> bool:
        return self.step == self.steps

    @property
    def rows_now(self) -> int:
        """Rows of the next step: the last steps may do without guidance."""
        return 1 if self.step >= self._unguided_from else self.rows

    @property
    def needs_preparation(self) -> bool:
        """Whether `prepare` must be awaited before `inputs`."""
        return self._conditions.at_step is not None

    async def prepare(self) -> None:
        """Get the inputs that the next step alone has."""
        if self._conditions.at_step is not None:
            self._at_step = await self._conditions.at_step(self.step)

    def inputs(self) -> dict[str, Tensor]:
        """The network's inputs for the next step, (rows, …) each.

        `sample` is [z_t, channels]; `timestep` is (rows, 1) float32.
        """
        rows, conditions = self.rows_now, self._conditions
        shown = self._schedule.scaled(self.latents, self.step).expand(rows, -1, -1, -1)
        if conditions.channels is not None:
            shown = torch.cat([shown, conditions.channels[-rows:]], dim=1)
        inputs = {"sample": shown, "timestep": self._schedule.timestep(self.step, rows)}
        for name, tensor in (*conditions.tensors.items(), *self._at_step.items()):
            inputs[name] = tensor[-rows:]
        return inputs

    def advance(self, prediction: "Tensor | Made") -> None:
        """z_t → z_{t−1}, from the network's prediction, (rows, C, h, w), or from what `advanced` made of it.

        Raises ValueError for a prediction of another shape, which torch might broadcast to a wrong picture.
        """
        if isinstance(prediction, Made):
            self.latents, self.predicted = prediction.latents, prediction.predicted
            self._kept = prediction.kept
        else:
            self._take_step(prediction)
        self.step += 1
        if self.done and self._ends_early:
            self.latents = self.predicted

    def _take_step(self, prediction: Tensor) -> None:
        """The sampler's own arithmetic."""
        self._check(prediction)
        # v = v_negative + g·(v_prompt − v_negative)
        if len(prediction) == 2:
            negative, positive = prediction.chunk(2)
            prediction = negative + self._guidance_scale * (positive - negative)
        stepped = self._schedule.sampler.step(
            prediction,
            self._schedule.timesteps[self.step],
            self.latents,
            **self._options,
            **self._noise.step_options(self._accepted, self.latents),
        )
        self.latents = stepped.prev_sample
        predicted = getattr(stepped, "pred_original_sample", None)
        self.predicted = self.latents if predicted is None else predicted

    def _check(self, prediction: Tensor) -> None:
        expected = (self.rows_now, *self.latents.shape[1:])
        if prediction.shape != expected:
            raise ValueError(
                f"the {self.model}'s prediction has shape {tuple(prediction.shape)}, expected {expected}"
            )
        self._move_to(prediction.device)

    def _move_to(self, device: torch.device) -> None:
        """A job before whose first step no network runs begins on the CPU, and this one may be on a GPU."""
        if self.latents.device != device:
            self.latents = self.latents.to(device)
            self._conditions = self._conditions.to(device)

    def _given(self, prediction: Tensor) -> list[Tensor]:
        """x of the recurrence, in pieces."""
        self._check(prediction)
        flat = self.latents.reshape(1, -1)
        noise = flat  # its factor is 0 in a step that draws none
        if self._recurrence is not None and self._recurrence.draws[self.step]:
            noise = self._noise.for_step(self._accepted, self.latents).reshape(1, -1)
        return [flat, prediction.reshape(len(prediction), -1).expand(2, -1), noise, *self._kept]


@dataclass(frozen=True)
class Made:
    """What a step made: the next latents, the predicted clean ones, and what the sampler keeps."""

    latents: Tensor
    predicted: Tensor
    kept: list[Tensor]


def advanced(jobs: Sequence[Denoising], predictions: Sequence[Tensor]) -> list["Tensor | Made"]:
    """What `advance` of each job takes: the arithmetic of all jobs with a recurrence is done here, together.

    jobs: with latents of one size.
    """
    taken: list[Tensor | Made] = list(predictions)
    linear = [(place, job) for place, job in enumerate(jobs) if job._recurrence is not None]
    if not linear:
        return taken
    factors = [job._recurrence.factors[job.step] for _, job in linear if job._recurrence is not None]
    rows = [job._given(predictions[place]) for place, job in linear]
    for (place, job), made in zip(linear, multiply(factors, rows), strict=True):
        shape = job.latents.shape
        kept = [made[MADE:]] if len(made) > MADE else []
        taken[place] = Made(made[NEXT].reshape(shape), made[PREDICTED].reshape(shape), kept)
    return taken
