"""Measures the quality of a photo and of its tile, and gives advice for a better photo."""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric.shrink import shrink

MIN_CONTRAST = 0.004  # of sRGB's range; below it there is only sensor noise
BLACK = 0.03  # of sRGB's range
MIN_SHARPNESS = 0.15  # below it the photo is blurred
MAX_MISFIT = 0.35  # of the tile's borders; above it motifs are cut or doubled there
_CELL = 16  # pixels; small enough to hold a print's edge, or a piece of its ground with only the weave
_FEW = 0.05  # of the cells: a blurred photo has no sharp one
_CODING = 2.0  # of 255: smaller detail may be the camera's noise, and what JPEG made of it
_GRAIN = np.outer([1, -2, 1], [1, -2, 1])  # sees single pixels and no straight edge


@dataclass(frozen=True)
class PhotoQuality:
    """Measures of the photo before any correction.

    sharpness: the finest detail's share of all detail, in the whole photo or where it is sharpest; 0
    (blurred) to about 1. contrast: standard deviation of the detail in sRGB, 0 to 1. brightness: median
    luminance in sRGB, 0 to 1. clipped: share of overexposed pixels. evenness: 1 if all parts of the photo
    look alike, 0 if they differ as in a portrait.
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
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    fine = _deviation(grey, smooth)
    coarse = cv2.GaussianBlur(small, (0, 0), 1.5)  # a sigma of 6 in the photo's pixels
    coarse = cv2.resize(coarse, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    contrast = _deviation(grey, coarse)
    difference = cv2.absdiff(grey, coarse)
    detail = shrink(difference, 6, 6).astype(np.float32)
    some = np.ascontiguousarray(photo[::4, ::4])  # enough for a mean of so many
    colour = cv2.cvtColor(shrink(some, 6, 6), cv2.COLOR_RGB2LAB)
    chroma = colour[..., 1:].astype(np.float32).std(axis=(0, 1)).sum() / 20
    spread = float(detail.std() / max(detail.mean(), 1.0))
    return PhotoQuality(
        sharpness=min(1.0, max(fine / max(contrast, 1e-6), _sharpest(grey, smooth, difference))),
        contrast=contrast,
        brightness=brightness,
        clipped=float(np.count_nonzero(grey >= 254) / grey.size),
        evenness=float(np.clip(1.25 - spread - chroma, 0, 1)),
    )


def _sharpest(grey: np.ndarray, smooth: np.ndarray, coarse: np.ndarray) -> float:
    """The finest detail's share of all detail in the sharpest cells of a photo.

    A bold print has so much contrast that the weave is a small share of it in the whole photo, as if it were
    blurred. Noise is as fine as detail and survives every blur: what single pixels tell of it is subtracted
    (Immerkær, "Fast Noise Variance Estimation", 1996). smooth: the photo without its finest detail.
    coarse: the amount of all detail.
    """
    half = slice(len(grey) // 4, 3 * len(grey) // 4 + 1)  # enough, and half of the time
    grey, smooth, coarse = grey[half], smooth[half], coarse[half]
    grain = cv2.convertScaleAbs(cv2.filter2D(grey, cv2.CV_16S, _GRAIN), alpha=1 / 6)
    fine, every, noise = (_power(cells) for cells in (cv2.absdiff(grey, smooth), coarse, grain))
    share = np.maximum(fine - noise - _CODING**2, 0) / (every + _CODING**2)
    return float(np.quantile(share, 1 - _FEW)) ** 0.5


def _power(detail: np.ndarray) -> np.ndarray:
    """The mean square of each cell of uint8 `detail`."""
    square = cv2.multiply(detail, detail, dtype=cv2.CV_16U)
    height, width = (max(1, side // _CELL) for side in detail.shape)
    return shrink(square, width, height).astype(np.float32)


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
    photo: PhotoQuality,
    flatness: float,
    repeats: list[int],
    scale: float,
    beside: str | None = None,
    misfit: float = 0.0,
    holes_missing: bool = False,
    motifs: bool = False,
) -> list[str]:
    """Sentences that say how to take a better photo; empty if this one is good.

    flatness: of the light before its correction. repeats: how often the weave repeats along each axis
    that has a repeat. scale: photo pixels per tile pixel. beside: as in `Region`.
    misfit: of the tile's borders, as `seam.misfit` measures it. holes_missing: the cloth has holes, of which
    the photo's transparency says nothing. motifs: the cloth's areas of different colours were seen to repeat,
    so that they are neither uneven light nor several cloths.
    """
    sentences = []
    if beside == "object":
        sentences.append(
            "something lies on the cloth, or shines, and was left out: take it away, and use no flash, so "
            "that all of the photo is cloth"
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
    elif photo.sharpness < MIN_SHARPNESS:
        sentences.append("the photo is blurred: hold the camera still, tap to focus, or move a little away")
    if BLACK <= photo.brightness < 0.08 or (photo.relief > 0 and photo.brightness < BLACK):
        sentences.append("the photo is too dark: use more light")
    if photo.clipped > 0.05:
        sentences.append("parts of the photo are overexposed: lower the exposure, or avoid reflections")
    if flatness > 0.3 and not motifs:
        sentences.append("the light is uneven: avoid shadows and light from one side")
    if misfit > MAX_MISFIT:  # a photo at a tilt has no exact repeat: how often one was found says nothing
        sentences.append(
            "the pattern does not meet at the tile's border: lay the cloth flat, and take the photo from "
            "straight above, so that it shows the pattern at least twice, or send `corners`"
        )
    elif repeats and min(repeats) < 4:
        sentences.append(
            "the photo shows too little of the pattern: move away, until it repeats at least four times"
        )
    if holes_missing:
        sentences.append(
            "the photo does not tell the holes from what lies behind them: send a PNG, WebP or TIFF in which "
            "they are transparent"
        )
    if scale < 0.6:
        sentences.append("the cloth has too few pixels: move closer, or use a higher resolution")
    if photo.evenness < 0.35 and not motifs:
        sentences.append(
            "the photo shows more than one even fabric: fill it with a flat piece of a single cloth"
        )
    return sentences
