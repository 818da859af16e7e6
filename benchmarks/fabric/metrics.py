"""The measures of a material. Each has an upper and a lower limit, so that a mirrored tile, a flat grey or
a normal map that always points up cannot pass."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Measure:
    """One figure, its allowed range, and the old scan's figure if it has one."""

    name: str
    value: float
    low: float
    high: float
    old: float | None = None

    @property
    def passed(self) -> bool:
        return bool(self.low <= self.value <= self.high)


def decoded(data: bytes) -> np.ndarray:
    """A map's file as uint8, RGB or grey."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def lab(linear: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.clip(linear, 0, 1).astype(np.float32), cv2.COLOR_LRGB2Lab)


def delta_e(albedo: np.ndarray, truth: np.ndarray) -> float:
    """Mean ΔE76 (CIE 1976) of linear RGB, after one factor for the exposure, which a photo does not tell."""
    exposure = np.median(truth.mean(axis=2) / np.maximum(albedo.mean(axis=2), 1e-4))
    return float(np.linalg.norm(lab(albedo * exposure) - lab(truth), axis=2).mean())


def contrast_ratio(albedo: np.ndarray, truth: np.ndarray) -> float:
    """Local contrast (deviation of L* from its blur), divided by that of the ground truth."""
    return _contrast(albedo) / _contrast(truth)


def wrap_ratio(image: np.ndarray) -> float:
    """The step across the border divided by the mean step inside, for the axis where it is farther from 1."""
    value = image.astype(np.float32)
    ratios = []
    for axis in (0, 1):
        inside = np.abs(np.diff(value, axis=axis)).mean()
        ratios.append(float(np.abs(value.take(0, axis) - value.take(-1, axis)).mean() / max(inside, 1e-6)))
    return max(ratios, key=lambda r: abs(np.log(max(r, 1e-6))))


def cut_step(image: np.ndarray, cut: np.ndarray) -> float:
    """The mean step at the cut, divided by the 95th percentile of the steps elsewhere."""
    value = image.astype(np.float32)
    step = sum(np.abs(value - np.roll(value, 1, axis)).mean(axis=2) for axis in (0, 1))
    return float(step[cut].mean() / np.percentile(step[~cut], 95))


def band_contrast(image: np.ndarray, cut: np.ndarray, shift: tuple[int, int], width: int = 12) -> float:
    """Local contrast in a band around the cut, divided by that of the band moved by `shift` rows and columns.

    1 if the cut neither blurs nor shows. The shift is a multiple of the print's repeat, so that both bands
    lie on the same stripes.
    """
    band = cv2.dilate(cut.astype(np.uint8), np.ones((2 * width + 1,) * 2, np.uint8)) == 1
    there = np.roll(band, shift, (0, 1)) & ~band
    lightness = lab(image)[..., 0]
    detail = lightness - cv2.GaussianBlur(lightness, (0, 0), 8)
    return float(detail[band].std() / detail[there].std())


def angle(one: np.ndarray, other: np.ndarray) -> float:
    """Mean angle between unit normals, in degrees."""
    return float(np.degrees(np.arccos(np.clip((one * other).sum(axis=2), -1, 1))).mean())


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Mean correlation of the normals' x and y components: 0 for a flat normal map, whatever its angle."""
    pairs = ((one[..., i].ravel(), other[..., i].ravel()) for i in (0, 1))
    return float(np.mean([np.corrcoef(*pair)[0, 1] if pair[0].std() > 0 else 0.0 for pair in pairs]))


def _contrast(linear: np.ndarray) -> float:
    lightness = lab(linear)[..., 0]
    return float((lightness - cv2.GaussianBlur(lightness, (0, 0), 8)).std())
