"""Samplers as linear recurrences, whose coefficients are computed once for each schedule.

Every common sampler's step is linear in what it is given: DDIM, DDPM, Euler, LCM, DPM-Solver++, UniPC and
flow matching compute sums of the latents, predictions and noise, with factors that depend on the timestep:

    y_k = M_k · x_k

    x_k   z_t, the two rows of the prediction, the noise, and what the sampler keeps of earlier steps   (I, D)
    y_k   z_{t−1}, the predicted z_0, and what the sampler keeps                                        (O, D)
    M_k   the factors of step k, with guidance in them                                                  (O, I)

On a GPU the arithmetic of diffusers' schedulers is 42 to 168 small kernels for each job and step. Here the
steps of all jobs together are three, whatever their samplers (`multiply`).

The factors are read from the sampler itself: its own `step` is run on unit vectors. So any sampler with a
linear step works, diffusers' or our own, and its formulas are written down nowhere twice.
"""

import asyncio
import copy
import inspect
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.denoising.schedule import Schedule, Schedulers
from pipeline.recipe import Recipe
from pipeline.single_flight import SingleFlight

logger = logging.getLogger(__name__)

# Places in x_k before what the sampler keeps. GIVEN is also the number of them.
LATENTS, NEGATIVE, POSITIVE, NOISE, GIVEN = range(5)
# Places in y_k before what the sampler keeps.
NEXT, PREDICTED, MADE = range(3)
# How much a recurrence may differ from its sampler, relative to the largest value.
TOLERANCE = 1e-4
MAX_RECURRENCES = 64  # a hundred kilobytes each, at most


class NotLinear(Exception):
    """This sampler's step is no linear function, for instance since it clips."""


@dataclass(frozen=True)
class Recurrence:
    """One schedule.

    factors: M_k for each step, (O, I) each. I and O grow in the first steps of a sampler that keeps some.
    draws: whether the step draws noise.
    """

    factors: tuple[Tensor, ...]
    draws: tuple[bool, ...]


class Recurrences:
    """The recurrences of the last schedules that were asked for: users share a few.

    One is None if the recipe's sampler is not linear, and its own arithmetic must be used.
    """

    def __init__(self, schedulers: Schedulers):
        self._schedulers = schedulers
        self._kept: OrderedDict[Recipe, Recurrence | None] = OrderedDict()  # the latest last
        self._deriving: SingleFlight[Recipe, Recurrence | None] = SingleFlight()

    def of(self, recipe: Recipe) -> Recurrence | None:
        """Takes up to a tenth of a second the first time."""
        if recipe not in self._kept:
            self._keep(recipe, _derived(self._schedulers.schedule(recipe)))
        self._kept.move_to_end(recipe)
        return self._kept[recipe]

    async def derive_beside(self, recipe: Recipe) -> Recurrence | None:
        """The same, derived in a thread, so that the event loop goes on with other users' steps.

        Requests that come meanwhile wait for the same one. Use it from one event loop.
        """
        if recipe in self._kept:
            return self.of(recipe)
        return await self._deriving.get(recipe, lambda: self._derive(recipe))

    async def _derive(self, recipe: Recipe) -> Recurrence | None:
        recurrence = await asyncio.to_thread(_derived, self._schedulers.schedule(recipe))
        self._keep(recipe, recurrence)
        return recurrence

    def _keep(self, recipe: Recipe, recurrence: Recurrence | None) -> None:
        self._kept[recipe] = recurrence
        if len(self._kept) > MAX_RECURRENCES:
            self._kept.popitem(last=False)


def _derived(schedule: Schedule) -> Recurrence | None:
    try:
        return derive(schedule)
    except NotLinear as reason:
        logger.info("%s", reason)
        return None


def derive(schedule: Schedule) -> Recurrence:
    """The recurrence of `schedule`, which is not changed and must not have taken a step.

    Raises NotLinear if the sampler's step is not linear.
    """
    recurrence = _read(copy.deepcopy(schedule))
    _verify(recurrence, copy.deepcopy(schedule))
    return recurrence


def _read(schedule: Schedule) -> Recurrence:
    """Runs the sampler on unit vectors: each place of x_k gets a dimension of its own."""
    sampler, recipe = schedule.sampler, schedule.recipe
    kept_before: list[tuple[Any, Any]] = []
    factors, draws = [], []
    for step in range(len(schedule)):
        # One dimension more than places: there only the noise is seen.
        dimensions = GIVEN + len(kept_before) + 1
        units = torch.eye(dimensions)
        for place, (holder, key) in enumerate(kept_before):
            _put(holder, key, units[GIVEN + place].reshape(1, 1, 1, -1))
        guidance = recipe.guidance_scale if _is_guided(schedule, step) else 1.0
        prediction = units[NEGATIVE] * (1 - guidance) + units[POSITIVE] * guidance
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn((1, 1, 1, dimensions), generator=torch.Generator().manual_seed(step)).flatten()
        untouched = generator.get_state()
        latents = units[LATENTS].reshape(1, 1, 1, -1)
        stepped = take_step(schedule, step, prediction.reshape(1, 1, 1, -1), latents, generator)
        drawn = not torch.equal(untouched, generator.get_state())
        kept_before = list(_kept(sampler, dimensions))
        made = [stepped.prev_sample, _predicted(stepped), *(_get(holder, key) for holder, key in kept_before)]
        rows = torch.stack([row.reshape(-1).float() for row in made])
        if drawn:
            share = rows[:, -1:] / noise[-1]
            rows = rows - share * noise
            rows[:, NOISE] += share[:, 0]
        factors.append(rows[:, :-1].clone())
        draws.append(drawn)
    return Recurrence(tuple(factors), tuple(draws))


def _verify(recurrence: Recurrence, schedule: Schedule) -> None:
    """Compare both on a run with large numbers, which a clipping sampler would change."""
    given = torch.Generator().manual_seed(0)
    shape = (1, 1, 4, 4)
    latents = theirs = 4 * torch.randn(shape, generator=given)
    kept: Tensor = torch.empty(0, latents.numel())
    for step, matrix in enumerate(recurrence.factors):
        prediction = 4 * torch.randn((2, *shape[1:]), generator=given)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(step))
        if _is_guided(schedule, step):
            negative, positive = prediction.chunk(2)
            combined = negative + schedule.recipe.guidance_scale * (positive - negative)
        else:
            combined = prediction[-1:]
        stepped = take_step(schedule, step, combined, theirs, torch.Generator().manual_seed(step))
        rows = torch.cat([latents.flatten()[None], prediction.flatten(1), noise.flatten()[None], kept])
        made = matrix @ rows
        theirs, latents, kept = stepped.prev_sample, made[NEXT].reshape(shape), made[MADE:]
        for ours, expected in ((latents, theirs), (made[PREDICTED].reshape(shape), _predicted(stepped))):
            difference = (ours - expected).abs().max()
            if not difference <= TOLERANCE * expected.abs().max().clamp(min=1):
                name = type(schedule.sampler).__name__
                raise NotLinear(f"step {step} of {name} is no linear function of what it is given")


def take_step(
    schedule: Schedule, step: int, prediction: Tensor, latents: Tensor, generator: torch.Generator
) -> Any:
    """The sampler's own step, with the options that `Denoising` gives it."""
    accepted = inspect.signature(schedule.sampler.step).parameters
    options = {"eta": schedule.recipe.eta, "generator": generator}
    known = {name: value for name, value in options.items() if name in accepted}
    return schedule.sampler.step(prediction, schedule.timesteps[step], latents, **known)


def _is_guided(schedule: Schedule, step: int) -> bool:
    return schedule.recipe.guided and step < len(schedule) - schedule.recipe.unguided_last_steps


def _predicted(stepped: Any) -> Tensor:
    predicted = getattr(stepped, "pred_original_sample", None)
    found: Tensor = stepped.prev_sample if predicted is None else predicted
    return found


def _kept(sampler: Any, dimensions: int) -> Iterator[tuple[Any, Any]]:
    """Where a sampler keeps tensors like the latents: (its attributes or one of its lists, name or index)."""

    def is_like_latents(value: Any) -> bool:
        return isinstance(value, Tensor) and value.shape == (1, 1, 1, dimensions)

    for name, value in vars(sampler).items():
        if is_like_latents(value):
            yield vars(sampler), name
        elif isinstance(value, list):
            yield from ((value, index) for index, one in enumerate(value) if is_like_latents(one))


def _get(holder: Any, key: Any) -> Tensor:
    found: Tensor = holder[key]
    return found


def _put(holder: Any, key: Any, value: Tensor) -> None:
    holder[key] = value


def multiply(factors: Sequence[Tensor], rows: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """y_k of several jobs, (O, D) each, in three operations on the device of `rows`, however many jobs.

    factors: M_k of each job, on the CPU. rows: the pieces of each job's x_k, (…, D) each, of one D.
    """
    inputs, outputs = max(it.shape[1] for it in factors), max(len(it) for it in factors)
    matrices = torch.zeros(len(factors), outputs, inputs)
    pieces: list[Tensor] = []
    for matrix, padded, given in zip(factors, matrices, rows, strict=True):
        padded[: len(matrix), : matrix.shape[1]] = matrix
        missing = inputs - matrix.shape[1]  # their factors are 0
        pieces += [*given, given[0][:1].expand(missing, -1)] if missing else given
    stacked = torch.cat(pieces).reshape(len(factors), inputs, -1)
    made = torch.bmm(matrices.to(stacked.device, non_blocking=True), stacked)
    return [one[: len(matrix)] for one, matrix in zip(made, factors, strict=True)]
