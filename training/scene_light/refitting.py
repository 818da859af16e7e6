"""The level's layers anew, on scenes of which there are few: minutes on one thread.

A network learns the level of its scenes by heart long before their shading. So the convolutions stay as they
are, what they tell of each scene is remembered once, and only the layers behind it learn. What they tell the
shading is held in place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.light.light_reader import LightReader
from training.scene_light.augmentation import Batch, varied
from training.scene_light.learning import truth

STEPS, BATCH, LEARNING_RATE = 400, 256, 1e-3
# Half way is better than the whole on scenes of other kinds.
SHARE = 0.5
# Variants of each sample, and how many are looked at in one run.
_VARIANTS, _ROWS = 4, 48
# The path-traced samples' share of a batch.
_PHOTOGRAPHS = 0.7
_DECAY = 0.995
# Weights of the shading's steering and of the parameters' way from where they were.
_HELD, _NEAR = 1.0, 3e-3
_DECIBELS, _SPREAD = 0.5, 0.1
# What an error of the level costs in squared code values, and what detail and shading cost anyway.
_LEVEL_COST, _SHADING_COST, _DETAIL = 0.06, 0.02, 1e-2
# Cells of the map that a garment must cover.
_LEAST = 20


@dataclass(frozen=True)
class Remembered:
    """Of N samples.

    pooled: (N, F), what the layers see. known: (N, 3), the level that is not theirs to tell (the picture's
    brightness, and what clipping changes). wanted: (N, 3), the true level. shading: (N,), the mean squared
    error of the shading. area: (N,) cells."""

    pooled: Tensor
    known: Tensor
    wanted: Tensor
    shading: Tensor
    area: Tensor

    def chosen(self, rows: Tensor) -> "Remembered":
        return Remembered(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Iterable["Remembered"]) -> "Remembered":
        every = list(parts)
        return cls(*(torch.cat([getattr(it, field.name) for it in every]) for field in fields(cls)))


@torch.no_grad()
def remember(network: LightReader, batch: Batch) -> Remembered:
    network.eval()
    seen: list[Tensor] = []
    hook = network.whole.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    log_light, _, _ = network.regress(batch.scene)
    hook.remove()
    light, weight = truth(batch)
    area = weight.sum(dim=(2, 3)) + 1e-3
    told, wanted = ((it * weight).sum(dim=(2, 3)) / area for it in (log_light, light))
    error = log_light - told[:, :, None, None] - (light - wanted[:, :, None, None])
    shading = ((error**2 * weight).sum(dim=(2, 3)) / area).mean(dim=1)
    found = Remembered(seen[0], told - _own(network, seen[0])[1], wanted, shading, area[:, 0])
    return found.chosen(found.area > _LEAST)


def remembered(network: LightReader, rows: np.ndarray, seed: int = 0) -> Remembered:
    """Of several variants of samples, (N, 14, 104, 104) uint8. Raises ValueError for none."""
    if not len(rows):
        raise ValueError("the level is fitted to painted and to path-traced scenes: give some of both")
    generator = torch.Generator().manual_seed(seed)
    return Remembered.joined(
        remember(network, varied(torch.from_numpy(rows[start : start + _ROWS]), generator))
        for _ in range(_VARIANTS)
        for start in range(0, len(rows), _ROWS)
    )


def refit(
    network: LightReader,
    photographs: Remembered,
    painted: Remembered,
    steps: int = STEPS,
    seed: int = 0,
    share: float = SHARE,
) -> tuple[float, float]:
    """Changes the network, by a share of the way that its layers go; returns the error of the level's
    brightness on the photographs before and after, a root mean square."""
    generator = torch.Generator().manual_seed(seed)
    layers = [network.whole, network.level, network.plain, network.spread]
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    start, average = ([it.detach().clone() for it in parameters] for _ in range(2))
    with torch.no_grad():
        steering = [network.steer(network.whole(it.pooled)) for it in (photographs, painted)]
        before = _error(network, photographs)
    optimizer = torch.optim.Adam(parameters, LEARNING_RATE)
    counts = round(_PHOTOGRAPHS * BATCH), BATCH - round(_PHOTOGRAPHS * BATCH)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (step + 1) / 50) * (1 - step / steps)
        drawn = [
            torch.randint(len(it.area), (count,), generator=generator)
            for it, count in zip((photographs, painted), counts, strict=True)
        ]
        rows = Remembered.joined(
            it.chosen(own) for it, own in zip((photographs, painted), drawn, strict=True)
        )
        held = torch.cat([it[own] for it, own in zip(steering, drawn, strict=True)])
        loss = _loss(network, rows, held)
        loss = (
            loss
            + _NEAR
            * torch.stack([(p - q).square().sum() for p, q in zip(parameters, start, strict=True)]).sum()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(
                average, [*map(Tensor.detach, parameters)], 1 - min(_DECAY, (1 + step) / (10 + step))
            )
    with torch.no_grad():
        for parameter, mean, first in zip(parameters, average, start, strict=True):
            parameter.copy_(first + share * (mean - first))
        return before, _error(network, photographs)


def _own(network: LightReader, pooled: Tensor) -> tuple[Tensor, Tensor]:
    """What the whole scene tells, and the part of the level that is made of it."""
    whole = network.whole(pooled)
    plain: nn.Linear = network.plain
    return whole, network.level(whole) + plain(pooled[:, -plain.in_features :])


def _loss(network: LightReader, rows: Remembered, steering: Tensor) -> Tensor:
    whole, level = _own(network, rows.pooled)
    error = level + rows.known - rows.wanted
    distance = (
        functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=0.3).mean(dim=1) / 0.3
    )
    squared = error.square().mean(dim=1)
    cost = _LEVEL_COST * squared + _SHADING_COST * rows.shading.clamp(max=2)
    decibels = torch.log1p(cost / _DETAIL)
    deviation = functional.softplus(network.spread(whole) - 1) + 0.02
    found = torch.stack([squared.detach(), rows.shading], dim=1)
    likelihood = (found / (2 * deviation**2) + torch.log(deviation)).sum(dim=1)
    moved = (network.steer(whole) - steering).square().mean(dim=1)
    return (distance + _DECIBELS * decibels + _SPREAD * likelihood + _HELD * moved).mean()


def _error(network: LightReader, rows: Remembered) -> float:
    error = _own(network, rows.pooled)[1] + rows.known - rows.wanted
    return float(error.mean(dim=1).square().mean().sqrt())
