"""The light as a small image, for clients that apply it themselves to what they draw now.

R of relighting.py is smooth, so a small map is enough. On webcam scenes of 1280×720 with lucy-tiny, the
server's answer was rebuilt from maps of n×n, enlarged bicubically. In the garment of the worst scene it had

    n = 32: 46 dB       n = 40: 47.5 dB, 1.3 KB       n = 48: 50 dB, 1.7 KB       n = 64: 52 dB, 2.5 KB

as lossless WebP. A JPEG of quality 92 had 44 dB and 1.0 KB at 64×64; lossy WebP, which halves the resolution
of colours, 40 dB.

So a map is lossless WebP with 40 pixels on its longer side, or fewer where its file would be too large for an
answer of 4 KB. Each channel of a pixel is a logarithm:

    value = 255 · (R / RANGE + 1) / 2       answer = C + m · (C + FLOOR) · (exp(R) − 1)      (relighting.py)

Where the garment was not, the map continues the light of the garment's edge: the client's garment has moved.
"""

import cv2
import numpy as np

from pipeline.resize import halved, size_of

SIDES = (40, 36, 32, 28, 24, 20, 16, 12)
MOST_BYTES = 1550
# Larger than the largest logarithm that `light_ratio` gives, log(4).
RANGE = 1.4
# Of a cell of the map, the share inside the garment from which the cell keeps its own light.
_ENOUGH = 0.25

_LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]


def encode_light(light: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """The map of a light as a WebP file's bytes, (N,) uint8.

    light: (h, w, 3) float32, BGR, R over the crop.
    coverage: (h, w) float32 in 0…1, the garment's, and 0 beyond the frame.
    """
    for side in SIDES:
        values = np.rint((small_light(light, coverage, side) / RANGE + 1) * 127.5).clip(0, 255)
        image = _webp(values.astype(np.uint8))
        if len(image) <= MOST_BYTES:
            break
    return image


def decode_light(image: np.ndarray) -> np.ndarray:
    """R, (h, w, 3) float32, of the bytes that `encode_light` made."""
    values = cv2.imdecode(image, cv2.IMREAD_COLOR).astype(np.float32)
    return (values / 127.5 - 1) * np.float32(RANGE)


def small_light(light: np.ndarray, coverage: np.ndarray, side: int = SIDES[0]) -> np.ndarray:
    """The garment's mean light in each cell, continued beyond the garment: (rows, columns, 3) float32.

    side: cells along the longer side.
    """
    scale = side / max(coverage.shape)
    width, height = (max(1, round(scale * side)) for side in size_of(coverage))
    share = cv2.resize(coverage, (width, height), interpolation=cv2.INTER_AREA)
    total = cv2.resize(light * coverage[..., None], (width, height), interpolation=cv2.INTER_AREA)
    mean = total / np.maximum(share, 1e-6)[..., None]
    return _continued(mean, np.minimum(share / np.float32(_ENOUGH), 1))


def _continued(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`values`, (h, w, 3), where `weight`, (h, w), is 1; elsewhere means of the values around.

    Pull and push: S. J. Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4.2.
    """
    if max(weight.shape) == 1:
        return values
    coarse_weight = halved(weight, cv2.INTER_AREA)
    total = halved(values * weight[..., None], cv2.INTER_AREA)
    coarse = total / np.maximum(coarse_weight, 1e-6)[..., None]
    coarse = _continued(coarse, np.minimum(4 * coarse_weight, 1))
    around = cv2.resize(coarse, size_of(values), interpolation=cv2.INTER_LINEAR)
    return around + weight[..., None] * (values - around)


def _webp(picture: np.ndarray) -> np.ndarray:
    return cv2.imencode(".webp", picture, _LOSSLESS)[1].reshape(-1)
