"""Measures the quality of a photo and of its tile, and gives advice for a better photo."""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric.shrink import shrink

MIN_CONTRAST = 0.004  # of sRGB's range; below it there is only sensor noise
BLACK = 0.03  # of sRGB's range


@dataclass(frozen=True)
class PhotoQuality:
    """Measures of the photo before any correction.

    sharpness: the finest detail's share of all detail, 0 (blurred) to about 1. contrast: standard deviation
    of the detail in sRGB, 0 to 1. brightness: median luminance in sRGB, 0 to 1. clipped: share of
    overexposed pixels. evenness: 1 if all parts of the photo look alike, 0 if they differ as in a portrait.
    """

    sharpness: float
    contrast: float
    brightness: float
    clipped: float
    evenness: float

    @property
    def relief(self) -> float:
        """The share of the relief that the photo tells: 0 if there is only noise, 1 if a weave is visible."""
        return float(np.clip(self.contrast / MIN_CONTRAST - 1, 0, 1))


def judge(photo: np.ndarray, grey: np.ndarray) -> PhotoQuality:
    """Measure a photo (H, W, 3) uint8 RGB; `grey` is its luminance (H, W)."""
    small = shrink(grey, grey.shape[1] // 4, grey.shape[0] // 4)
    brightness = float(np.median(small)) / 255
    fine = _deviation(grey, cv2.GaussianBlur(grey, (5, 5), 0))
    coarse = cv2.GaussianBlur(small, (0, 0), 1.5)  # a sigma of 6 in the photo's pixels
    coarse = cv2.resize(coarse, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    contrast = _deviation(grey, coarse)
    detail = shrink(cv2.absdiff(grey, coarse), 6, 6).astype(np.float32)
    some = np.ascontiguousarray(photo[::4, ::4])  # enough for a mean of so many
    colour = cv2.cvtColor(shrink(some, 6, 6), cv2.COLOR_RGB2LAB)
    chroma = colour[..., 1:].astype(np.float32).std(axis=(0, 1)).sum() / 20
    spread = float(detail.std() / max(detail.mean(), 1.0))
    return PhotoQuality(
        sharpness=min(1.0, fine / max(contrast, 1e-6)),
        contrast=contrast,
        brightness=brightness,
        clipped=float(np.count_nonzero(grey >= 254) / grey.size),
        evenness=float(np.clip(1.25 - spread - chroma, 0, 1)),
    )


def _deviation(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of uint8 images, as a fraction of their range."""
    return cv2.norm(one, other, cv2.NORM_L2) / (255 * one.size**0.5)


def wrap_ratio(image: np.ndarray) -> float:
    """The mean step across the tile's borders divided by the mean step inside it; 1 is seamless.

    The worse value of x and y. image: (N, N, C) uint8. A mirrored tile has 0, a plain crop far more than 1.
    """
    steps = (_step(image[1:], image[:-1]), _step(image[:, 1:], image[:, :-1]))
    wraps = (_step(image[:1], image[-1:]), _step(image[:, :1], image[:, -1:]))
    ratios = [wrap / max(step, 1e-6) for wrap, step in zip(wraps, steps, strict=True)]
    return max(ratios, key=lambda ratio: abs(np.log(max(ratio, 1e-6))))


def _step(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference."""
    return cv2.norm(one, other, cv2.NORM_L1) / one.size


def advice(
    photo: PhotoQuality, flatness: float, repeats: list[int], scale: float, beside: str | None = None
) -> list[str]:
    """Sentences that say how to take a better photo; empty if this one is good.

    flatness: of the light before its correction. repeats: how often the weave repeats along each axis
    that has a repeat. scale: photo pixels per tile pixel. beside: as in `Region`.
    """
    sentences = []
    if beside == "object":
        sentences.append(
            "something lies on the cloth and was left out: take it away, so that all of the photo is cloth"
        )
    elif beside == "table":
        sentences.append(
            "no swatch with four corners was found: show all four, send them as `corners`, or fill the photo "
            "with cloth"
        )
    if photo.relief == 0 and photo.brightness < BLACK:
        sentences.append("the photo is black: take it again with more light")
    elif photo.relief == 0:
        sentences.append("the photo is one flat colour: move closer, so that the weave is visible")
    elif photo.sharpness < 0.15:
        sentences.append("the photo is blurred: hold the camera still, tap to focus, or move a little away")
    if BLACK <= photo.brightness < 0.08 or (photo.relief > 0 and photo.brightness < BLACK):
        sentences.append("the photo is too dark: use more light")
    if photo.clipped > 0.05:
        sentences.append("parts of the photo are overexposed: lower the exposure, or avoid reflections")
    if flatness > 0.3:
        sentences.append("the light is uneven: avoid shadows and light from one side")
    if repeats and min(repeats) < 4:
        sentences.append(
            "the photo shows too little of the pattern: move away, until it repeats at least four times"
        )
    if scale < 0.6:
        sentences.append("the cloth has too few pixels: move closer, or use a higher resolution")
    if photo.evenness < 0.35:
        sentences.append(
            "the photo shows more than one even fabric: fill it with a flat piece of a single cloth"
        )
    return sentences
