"""Tells skin from clothes by colour, with histograms of one picture."""

from dataclasses import dataclass

import cv2
import numpy as np

# Histogram bins of lightness, and of a and of b (CIELAB); sigmas of the blurs over them, in bins.
_LIGHTNESS, _CHROMA = 16, 64
_SPREAD, _CHROMA_SPREAD = 1.0, 1.2
# What shade tells at most, as log-odds: a hand's own shading is as strong as a difference between cloths.
_SHADE = 1.5


@dataclass(frozen=True)
class Bins:
    """Of N colours, (N,) each: their bin of lightness, and that of a and b."""

    shade: np.ndarray
    tint: np.ndarray

    @classmethod
    def of(cls, colours: np.ndarray) -> "Bins":
        """colours: (N, 3) CIELAB uint8."""
        lightness, a, b = colours.T.astype(np.intp)
        tint = (a * _CHROMA // 256) * _CHROMA + b * _CHROMA // 256
        return cls(lightness * _LIGHTNESS // 256, tint)

    def __len__(self) -> int:
        return len(self.shade)


class SkinColour:
    """log P(colour | skin) / P(colour | clothes).

    weights: of each sample of both, (N,) float32; None: all count.
    """

    def __init__(self, skin: Bins, clothes: Bins, weights: tuple[np.ndarray, np.ndarray] | None = None):
        both = list(zip((skin, clothes), weights or (None, None), strict=True))
        shade = _log_ratio(*(_histogram(it.shade, w, (1, _LIGHTNESS), _SPREAD) for it, w in both))
        self._shade = shade.clip(-_SHADE, _SHADE)
        self._tint = _log_ratio(
            *(_histogram(it.tint, w, (_CHROMA, _CHROMA), _CHROMA_SPREAD) for it, w in both)
        )

    def of(self, colours: Bins) -> np.ndarray:
        """(N,) float32."""
        return np.asarray(self._shade[colours.shade] + self._tint[colours.tint])


def _histogram(
    bins: np.ndarray, weights: np.ndarray | None, shape: tuple[int, int], spread: float
) -> np.ndarray:
    counts = np.bincount(bins, weights, minlength=shape[0] * shape[1]).astype(np.float32).reshape(shape)
    total = len(bins) if weights is None else float(weights.sum())
    return cv2.GaussianBlur(counts, (0, 0), spread).ravel() / np.float32(max(total, 1))


def _log_ratio(skin: np.ndarray, clothes: np.ndarray) -> np.ndarray:
    """A colour that neither has is rather no skin: skin was sampled, of clothes only some."""
    return np.log((skin + 1e-3) / (clothes + 2e-3))
