"""The loss of the light reader.

E = T / A    the light: the photograph's linear values over the render's, as means over the cells of the map
             within the visible garment; E* the truth

    loss = dB + |log E − log E*| + |level − level*| + spread

dB is log(1 + e / d), with e the mean squared error of the relit render's code values in the garment: the
picture's error in decibels, so that white cotton does not count more than black wool. d stands for the detail
that no light expresses. `spread` is the negative log likelihood of the errors that were made, which trains
the expected errors alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.light.light_reader import to_code, to_linear
from training.scene_light.augmentation import Batch

_DETAIL = 4e-4  # d
_FLOOR = 0.006  # of linear values, before a division
_MAP, _LEVEL, _SPREAD = 0.5, 0.5, 0.1


@dataclass(frozen=True)
class Losses:
    """Each (B,). level, shading: errors of the logarithm, as root mean squares."""

    total: Tensor
    decibels: Tensor
    level: Tensor
    shading: Tensor


def losses(log_light: Tensor, spread: Tensor, batch: Batch) -> Losses:
    """log_light (B, 3, 48, 48), spread (B, 2): of the network."""
    light, weight = truth(batch)
    area = weight.sum(dim=(2, 3)) + 1e-3
    error = log_light - light
    distance = functional.huber_loss(log_light, light, reduction="none", delta=0.3) / 0.3
    map_loss = ((distance * weight).sum(dim=(2, 3)) / area).mean(dim=1)
    level = (error * weight).sum(dim=(2, 3)) / area  # (B, 3)
    shading = (((error - level[:, :, None, None]) ** 2 * weight).sum(dim=(2, 3)) / area).mean(dim=1)
    decibels = torch.log1p(squared_error(relit(batch.scene, log_light), batch) / _DETAIL)
    found = torch.stack([level.detach().square().mean(dim=1), shading.detach()], dim=1)
    deviation = spread + 0.02
    likelihood = (found / (2 * deviation**2) + torch.log(deviation)).sum(dim=1)
    total = decibels + _MAP * map_loss + _LEVEL * level.abs().mean(dim=1) + _SPREAD * likelihood
    return Losses(total, decibels, level.square().mean(dim=1).sqrt(), shading.sqrt())


def truth(batch: Batch) -> tuple[Tensor, Tensor]:
    """log E*, (B, 3, 48, 48), and the weight of each cell, (B, 1, 48, 48)."""
    photograph = functional.avg_pool2d(to_linear(batch.target) * batch.visible, 2)
    render = functional.avg_pool2d(to_linear(batch.scene[:, 3:6]) * batch.visible, 2)
    weight = functional.avg_pool2d(batch.visible, 2)
    floor = _FLOOR * weight + 1e-5
    light = torch.log((photograph + floor) / (render + floor)).clamp(-3.5, 3.5)
    return light, weight * (weight > 0.3)


def relit(scene: Tensor, log_light: Tensor) -> Tensor:
    """The render's code values in that light: (B, 3, 96, 96)."""
    larger = functional.interpolate(log_light, scale_factor=2.0, mode="bilinear", align_corners=False)
    return to_code((to_linear(scene[:, 3:6]) * torch.exp(larger)).clamp(0, 1))


def squared_error(picture: Tensor, batch: Batch) -> Tensor:
    """Mean over the visible garment, (B,)."""
    error = ((picture - batch.target) ** 2).mean(dim=1, keepdim=True) * batch.visible
    return error.sum(dim=(1, 2, 3)) / (batch.visible.sum(dim=(1, 2, 3)) + 1e-3)
