"""Other photographs of the same scene: light transport is linear, so a brighter exposure, another white
balance or a dyed garment need no renderer. Turns uint8 samples into the network's input and its truth."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.garment.scene import PLANES, SIDE
from pipeline.light.light_reader import to_code, to_linear

_SCENE = len(PLANES)
# Standard deviations of logarithms: of the exposure, of the white balance of each channel, of a dye.
_EXPOSURE, _BALANCE, _DYE = 0.22, 0.07, 0.3
# The same of the background, whose light is often not the person's: a window behind, a lamp in front.
_BEHIND, _REPLACED = 0.6, 0.5
# Shares of the samples: in a dark room, dyed, without a pose, with a coarser mask.
_DARK, _DYED, _LOST, _COARSE = 0.08, 0.5, 0.08, 0.3
_DARKEST = 3.0


@dataclass(frozen=True)
class Batch:
    """scene: (B, 11, 96, 96), see pipeline.garment.scene. target: (B, 3, 96, 96) code values in 0…1.
    visible: (B, 1, 96, 96), where the photograph shows the garment."""

    scene: Tensor
    target: Tensor
    visible: Tensor


def plain(rows: Tensor) -> Batch:
    """The middle of samples, (B, 14, 104, 104) uint8, as they are."""
    margin = (rows.shape[-1] - SIDE) // 2
    planes = rows[..., margin : margin + SIDE, margin : margin + SIDE].float() / 255
    return Batch(planes[:, :_SCENE], planes[:, _SCENE:], planes[:, 6:7])


def varied(rows: Tensor, generator: torch.Generator) -> Batch:
    """Random variants of samples, (B, 14, 104, 104) uint8, on the generator's device."""
    count, device = len(rows), generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    room = rows.shape[-1] - SIDE
    top, left = torch.randint(room + 1, (2,), generator=generator, device=device).tolist()
    planes = rows[..., top : top + SIDE, left : left + SIDE].float() / 255
    flipped = uniform(count) < 0.5
    planes = torch.where(flipped[:, None, None, None], planes.flip(3), planes)
    scene, target = planes[:, :_SCENE].clone(), planes[:, _SCENE:]
    visible = scene[:, 6:7].clone()

    exposure = _EXPOSURE * normal(count, 1)
    dark = uniform(count, 1) < _DARK
    exposure = torch.where(dark, -_DARKEST * uniform(count, 1), exposure)
    gain = torch.exp(exposure + _BALANCE * normal(count, 3))[:, :, None, None]
    dyed = (uniform(count, 1) < _DYED).float()
    dye = torch.exp(dyed * (_DYE * normal(count, 1) + 0.5 * _DYE * normal(count, 3)))[:, :, None, None]
    colour = to_linear(scene[:, 3:6])
    # A cloth reflects at most nine tenths of the light.
    dye = torch.minimum(dye, 0.9 / colour.amax(dim=(1, 2, 3), keepdim=True).clamp(min=0.05)).clamp(min=0.15)
    scene[:, 3:6] = to_code((colour * dye).clamp(0, 1))
    inside = 1 + visible * (dye - 1)
    behind = torch.exp(_BEHIND * normal(count, 1) + 0.2 * _BEHIND * normal(count, 3))[:, :, None, None]
    behind = torch.where((uniform(count, 1) < _REPLACED)[:, :, None, None], behind, 1.0)
    scene[:, 0:3] = _developed(to_linear(scene[:, 0:3]) * gain * (1 + _background(scene) * (behind - 1)))
    target = _developed(to_linear(target) * gain * inside)

    coarse = (uniform(count, 1, 1, 1) < _COARSE).float()
    smaller = -functional.max_pool2d(-visible, 3, 1, 1)
    scene[:, 6:7] = coarse * smaller + (1 - coarse) * scene[:, 6:7]
    lost = (uniform(count, 1, 1, 1) < _LOST).float()
    scene[:, 8:11] = scene[:, 8:11] * (1 - lost)
    return Batch(scene, target, visible)


def _background(scene: Tensor) -> Tensor:
    """The share of each pixel, (B, 1, 96, 96), that shows neither person nor garment, as far as the pose
    tells; nothing where there is no pose."""
    coverage, _, head, body, hands = scene[:, 6:11].split(1, dim=1)
    person = torch.maximum(torch.maximum(coverage, body), torch.maximum(hands, _grown(head, 9)))
    known = (body.amax(dim=(1, 2, 3), keepdim=True) > 0).float()
    return functional.avg_pool2d(1 - _grown(person, 3), 3, 1, 1) * known


def _grown(mask: Tensor, side: int) -> Tensor:
    return functional.max_pool2d(mask, side, 1, side // 2)


def _developed(linear: Tensor) -> Tensor:
    return to_code(linear.clamp(0, 1))
