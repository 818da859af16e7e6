"""The light reader: a small network that reads a scene's light from what the camera sees.

    E   the light that falls on the garment over the light of the render, linear, for each channel
    c   the camera's picture, a the render's own colour, both linear
    log E = level + shading            level (3,), shading (3, h, w) of zero mean within the garment

The level is what the whole scene tells: the face, the shirt and the background are in the same light and
were exposed together, so that a picture of half the exposure has half the E. The shading follows the
body's shape. Both are regressed directly, and so are the errors that are to be expected of them. Everything
is an ordinary convolution, so that the same graph runs on ONNX Runtime, OpenVINO and TensorRT.

Never worse than nothing: where large errors are expected, the light falls back to a safe one, a level that
follows the picture's exposure only where that is unusual, such as in a dark room. Each part of log E counts
as far as it has turned out to be true: the level's brightness b less than its colour c, and the shading s
even where the level is unsure.

    light = k · (r_b · b + c) + min(1, 2k) · r_s · s + (1 − k) · safe          k the confidence, 0…1
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.garment.scene import PLANES, SIDE

# Side of the light's map.
MAP = SIDE // 2
# The network's names for its tensors, as in the model repository.
INPUT, OUTPUTS = "scene", ("log_light", "confidence")

_WIDTHS = (32, 48, 80, 112)
_GLOBAL = 128
# Added to linear values before a logarithm: what is darker is noise.
_CAMERA_FLOOR, _COLOUR_FLOOR = 0.004, 0.01
# The brightness of a well exposed picture: its mean logarithm. Only a convenient zero.
_USUAL = -1.6
# log E lies within ± this.
_LARGEST = 3.5
_LUMA = (0.2126, 0.7152, 0.0722)
# Exposures that differ from the usual one by less, as a logarithm, change nothing in the safe light.
_STILL_USUAL = 1.0
# Expected errors of the level for full confidence and for none, until a calibration has measured them.
_SURE, _UNSURE = 0.2, 1.0
# r_b and r_s until a calibration has measured them.
_RELIABILITY = (1.0, 1.0)


class LightReader(nn.Module):
    """scene (B, 11, 96, 96), see pipeline.garment.scene → log_light (B, 3, 48, 48), the light as above, RGB,
    and confidence (B, 1), k.

    calibration: the expected errors of the level at which k is 1 and 0. reliability: r_b and r_s.
    training.scene_light measures both.
    """

    places: Tensor
    luma: Tensor
    calibration: Tensor
    reliability: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second, third, last = _WIDTHS
        regions = 15 + 3  # see `_told`
        self.stem = _block(4 * (len(PLANES) + 2), first)
        self.down1, self.down2, self.down3 = (
            _block(before, after, stride=2)
            for before, after in ((first, second), (second, third), (third, last))
        )
        self.deep = nn.Sequential(_block(last, last), _block(last, last))
        self.whole = nn.Sequential(
            nn.Linear(2 * last + regions, _GLOBAL), nn.SiLU(), nn.Linear(_GLOBAL, _GLOBAL), nn.SiLU()
        )
        self.steer = nn.Linear(_GLOBAL, 2 * last)
        self.level = nn.Linear(_GLOBAL, 3)
        # What mean colours tell alone; training.scene_light.level_fit knows it in closed form.
        self.plain = nn.Linear(regions, 3)
        self.spread = nn.Linear(_GLOBAL, 2)
        self.up3, self.up2, self.up1 = (
            _block(before, after)
            for before, after in ((last + third, third), (third + second, second), (second + first, first))
        )
        self.shading = nn.Conv2d(first, 3, 1)
        for layer in (self.level, self.plain, self.spread, self.shading, self.steer):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        axis = torch.linspace(-1, 1, SIDE)
        self.register_buffer("places", torch.stack(torch.meshgrid(axis, axis, indexing="xy")), False)
        self.register_buffer("luma", torch.tensor([_LUMA]), False)
        self.register_buffer("calibration", torch.tensor([_SURE, _UNSURE]))
        self.register_buffer("reliability", torch.tensor(_RELIABILITY))
        self.register_load_state_dict_pre_hook(_without_reliability)

    def forward(self, scene: Tensor) -> tuple[Tensor, Tensor]:
        return self.trusted(scene, *self.regress(scene))

    def trusted(
        self, scene: Tensor, log_light: Tensor, spread: Tensor, brightness: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What `forward` makes of the outputs of `regress`."""
        sure, unsure = self.calibration
        confidence = ((unsure - spread[:, :1]) / (unsure - sure)).clamp(0, 1)
        safe = functional.relu(brightness - _STILL_USUAL) - functional.relu(-brightness - _STILL_USUAL)
        level = _within_garment(scene, log_light)
        shading = log_light - level
        grey = level.mean(dim=1, keepdim=True)
        k = confidence[:, :, None, None]
        of_level, of_shading = self.reliability
        light = k * (level - (1 - of_level) * grey) + (1 - k) * safe[:, :, None, None]
        return light + (2 * k).clamp(max=1) * of_shading * shading, confidence

    def regress(self, scene: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log E; the standard deviations (B, 2) that are expected of the errors of level and shading; and how
        much brighter than usual the picture is, (B, 1), a logarithm."""
        camera, colour = self._logarithms(scene)
        told, brightness = self.told(scene)
        places = self.places.expand(scene.shape[0], -1, -1, -1)
        seen = torch.cat([camera, colour, scene[:, 6:], places], dim=1)

        at48 = self.stem(functional.pixel_unshuffle(seen, 2))
        at24 = self.down1(at48)
        at12 = self.down2(at24)
        at6 = self.deep(self.down3(at12))
        pooled = torch.cat([at6.mean(dim=(2, 3)), at6.amax(dim=(2, 3)), told], dim=1)
        whole = self.whole(pooled)
        scale, shift = self.steer(whole)[:, :, None, None].chunk(2, dim=1)
        at6 = at6 * (1 + scale) + shift

        deep12 = self.up3(torch.cat([_twice(at6), at12], dim=1))
        deep24 = self.up2(torch.cat([_twice(deep12), at24], dim=1))
        deep48 = self.up1(torch.cat([_twice(deep24), at48], dim=1))
        shading = self.shading(deep48)
        level = self.level(whole) + self.plain(told) + brightness
        log_light = (level[:, :, None, None] + shading - _within_garment(scene, shading)).clamp(
            -_LARGEST, _LARGEST
        )
        return log_light, functional.softplus(self.spread(whole) - 1), brightness

    def _logarithms(self, scene: Tensor) -> tuple[Tensor, Tensor]:
        """Of the camera's picture and of the garment's own colours, (B, 3, 96, 96) each."""
        camera = torch.log(to_linear(scene[:, 0:3]) + _CAMERA_FLOOR) - _USUAL
        return camera, (torch.log(to_linear(scene[:, 3:6]) + _COLOUR_FLOOR) - _USUAL) * scene[:, 6:7]

    def told(self, scene: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 18) the mean logarithms of head, hands, shirt, background, whole picture and render, each a
        colour; and (B, 1) the whole picture's brightness."""
        camera, colour = self._logarithms(scene)
        coverage, inside, head, body, hands = scene[:, 6:11].split(1, dim=1)
        shirt = body * coverage * (1 - head) * (1 - hands)
        behind = (1 - body) * (1 - coverage) * (1 - head)
        means = [
            _mean(camera, where * inside) for where in (head, hands, shirt, behind, torch.ones_like(inside))
        ]
        brightness = (means[-1] * self.luma).sum(dim=1, keepdim=True)
        return torch.cat([*means, _mean(colour, coverage)], dim=1), brightness


def _without_reliability(network: LightReader, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Weights from before it was measured, as a fine-tuned reader's may be, load with the usual one."""
    state.setdefault(f"{prefix}reliability", network.reliability)


def to_linear(code: Tensor) -> Tensor:
    """sRGB in 0…1 → linear (IEC 61966-2-1)."""
    return torch.where(code <= 0.04045, code / 12.92, ((code.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def to_code(linear: Tensor) -> Tensor:
    """Linear in 0…1 → sRGB."""
    power: Tensor = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, power)


def _within_garment(scene: Tensor, values: Tensor) -> Tensor:
    """The mean of a map, (B, C, 48, 48), over the garment: (B, C, 1, 1)."""
    weight = functional.avg_pool2d(scene[:, 6:7], 2) + 1e-4
    mean: Tensor = (values * weight).sum(dim=(2, 3), keepdim=True) / weight.sum(dim=(2, 3), keepdim=True)
    return mean


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """(B, C); 0 where there is nothing."""
    mean: Tensor = (values * where).sum(dim=(2, 3)) / (where.sum(dim=(2, 3)) + 1e-3)
    return mean


def _twice(values: Tensor) -> Tensor:
    return functional.interpolate(values, scale_factor=2.0, mode="nearest")


def _block(before: int, after: int, stride: int = 1) -> Any:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU(inplace=True)
    )
