"""Height, normals and ambient occlusion of a tile, all periodic.

The height is an estimate, from the shading where that tells a direction of the light (`shading.py`). Else
creases receive less light, so dark means deep (Glencross et al., "A Perceptually Validated Model for Surface
Depth Hallucination", 2008). Each scale is weighted separately, because broad shading says less about the
relief than that of threads. An estimate that is right only in part has to be flatter than the cloth, or its
normals are farther from the true ones than a flat map's.
"""

import cv2
import numpy as np

from fabric.pigment import without_print
from fabric.shading import height_from_shading

# Octaves of relief; the finest spans σ 0.45 to 1 pixels at a size of 1024. More weight on the coarse
# octaves moves the normals away from the measured ones of fabric_weave and felt.
BANDS = 5
_FINEST = 0.45
_LARGE = 1024  # pixels per side of a map whose darkness is looked at in half of its resolution
_LIMIT = 3  # standard deviations: a speck or a loose hair must not become a peak
_SHADING = 0.45  # of the slopes that shading shows: what is nearest to the true normals on procedural cloth
_STRIP = 64  # rows
_FULL_CONTRAST = 0.06  # standard deviation of log-luminance detail at which the class's full depth is used

Array = np.ndarray


def height_map(linear: Array, slope: float, strength: float = 1.0) -> Array:
    """Height in pixels (N, N) float32, with mean 0, from linear RGB (N, N, 3).

    slope: root mean square slope of this class's relief; a photo with less contrast than cloth usually has
    gets less. strength scales it; 0 is flat.
    """
    return _dark_is_deep(_luminance(linear), slope, strength)


def estimated_height(linear: Array, slope: float, darkness: float, strength: float = 1.0) -> Array:
    """Height in pixels (N, N) float32, with mean 0, whose normals are meant to be nearest to the true ones.

    slope: as in `height_map`. darkness: the share of it that is likely where only darkness tells the height.
    """
    luminance = _luminance(linear)
    shaded, confidence = height_from_shading(luminance)
    height = np.zeros_like(luminance)
    if confidence > 0:
        height += shaded * np.float32(_SHADING * confidence * strength)
    if confidence < 1:
        likely, rest = slope * darkness, (1 - confidence) * strength
        if len(luminance) < _LARGE:
            height += _dark_is_deep(luminance, likely, rest)
        else:  # so little of the slope is likely that the finest octave of a large map would not be seen
            half = cv2.resize(luminance, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            height += _twice(2 * _dark_is_deep(half, likely, rest))
    return height - height.mean()


def _luminance(linear: Array) -> Array:
    """The logarithm of the brightness, without a print."""
    return without_print(linear, cv2.log(cv2.max(cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY), 0.01)))


def _dark_is_deep(luminance: Array, slope: float, strength: float) -> Array:
    scale = len(luminance) / 1024
    finest = _blur(luminance, _FINEST * scale)
    contrast = float(cv2.meanStdDev(finest)[1][0, 0])
    height = _bands(finest, _FINEST * scale, scale, max(_LIMIT * contrast, 1e-6), BANDS)
    dx, dy = gradient(height)
    steepness = float(np.sqrt((cv2.norm(dx) ** 2 + cv2.norm(dy) ** 2) / height.size))
    if steepness < 1e-9:
        return np.zeros_like(height)
    target = slope * strength * min(1.0, contrast / _FULL_CONTRAST)
    return (height - height.mean()) * np.float32(target / steepness)


def _bands(finer: Array, blur: float, octave: float, limit: float, count: int) -> Array:
    """The sum of the difference-of-Gaussian bands of `finer`, each compressed at `limit` by tanh.

    blur: the σ of `finer`, in its own pixels; octave: the σ of its coarser version. Both σ and pixel size
    double from one band to the next (Burt & Adelson, "The Laplacian Pyramid", 1983).
    """
    coarser = _blur(finer, float(np.sqrt(octave**2 - blur**2)))
    height = _tanh((finer - coarser) * np.float32(1 / limit))
    if count > 1:
        half = cv2.resize(coarser, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        height += _twice(_bands(half, octave / 2, octave, limit, count - 1))
    return height


def gradient(height: Array) -> tuple[Array, Array]:
    """Slopes along x and y (down) by Scharr's kernel (2000), with wrapped borders."""
    wrapped = cv2.copyMakeBorder(height, 1, 1, 1, 1, cv2.BORDER_WRAP)
    dx = cv2.Scharr(wrapped, cv2.CV_32F, 1, 0, scale=1 / 32)[1:-1, 1:-1]
    dy = cv2.Scharr(wrapped, cv2.CV_32F, 0, 1, scale=1 / 32)[1:-1, 1:-1]
    return dx, dy


def normal_map(height: Array) -> Array:
    """Unit normals (N, N, 3) float32 of a height in pixels: x right, y up (OpenGL), z towards the viewer."""
    dx, dy = gradient(height)
    inverse = dx * dx
    cv2.accumulateSquare(dy, inverse)
    inverse += 1
    inverse = 1 / cv2.sqrt(inverse)
    return cv2.merge([cv2.multiply(dx, inverse, scale=-1), dy * inverse, inverse])


def occlusion_map(height: Array, strength: float = 1.0) -> Array:
    """The visible share of the sky at each point, 0 to 1 (N, N) float32.

    The mean of 1 - sin(horizon) over eight directions, as in horizon-based ambient occlusion (Bavoil, Sainz
    & Dimitrov 2008), computed at half the resolution. strength 0 gives 1 everywhere.
    """
    half = len(height) // 2
    small = cv2.resize(height, (half, half), interpolation=cv2.INTER_AREA) / 2
    distances = [max(1, round(half * d / 512)) for d in (1, 3, 7)]
    reach = distances[-1]
    wrapped = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_WRAP)
    turns = np.arange(8) * np.pi / 4
    directions = [
        [(round(np.cos(turn) * distance), round(np.sin(turn) * distance)) for distance in distances]
        for turn in turns
    ]
    hidden = np.zeros_like(small)
    for top in range(0, half, _STRIP):  # a strip fits into the processor's cache
        part = hidden[top : top + _STRIP]
        _add_hidden(part, wrapped[top : top + len(part) + 2 * reach], reach, directions)
    seen = _twice(1 - (strength / 8) * hidden)
    open_sky: Array = cv2.min(cv2.max(seen, 0.0), 1.0)
    return open_sky


def _add_hidden(hidden: Array, wrapped: Array, reach: int, directions: list[list[tuple[int, int]]]) -> None:
    """Add to `hidden` (H, W) the sines of its horizons; wrapped: the heights, `reach` more on each side."""
    rows, columns = hidden.shape
    horizon, slope, one = np.empty_like(hidden), np.empty_like(hidden), np.ones_like(hidden)
    scaled: dict[float, Array] = {}  # heights, divided by how far two of them lie apart
    for direction in directions:
        horizon.fill(0)  # tangent of the horizon's elevation
        for x, y in direction:
            apart = float(np.hypot(x, y))
            if apart not in scaled:
                scaled[apart] = wrapped * np.float32(1 / apart)
            there, here = (
                scaled[apart][reach + dy : reach + dy + rows, reach + dx : reach + dx + columns]
                for dx, dy in ((x, y), (0, 0))
            )
            cv2.subtract(there, here, dst=slope)
            cv2.max(horizon, slope, dst=horizon)
        # The sine of an angle by its tangent.
        cv2.add(hidden, cv2.divide(horizon, cv2.magnitude(horizon, one, slope), dst=slope), dst=hidden)


def roughness_map(height: Array, roughness: float, strength: float = 1.0) -> Array:
    """Roughness 0 to 1 (N, N) float32: the class's mean, up to 0.08 more in hollows and less on tops.

    Wear smooths the tops of threads. `strength` 0 gives the mean everywhere. `height` must have mean 0.
    """
    deviation = cv2.norm(height) / height.size**0.5
    if deviation < 1e-9:
        return np.full_like(height, roughness)
    rough = _tanh(height * np.float32(-1 / (2 * deviation)))
    rough -= rough.mean()
    rough *= 0.08 * strength
    rough += roughness
    return np.clip(rough, 0.02, 1, out=rough)


def _tanh(values: Array) -> Array:
    """The hyperbolic tangent; NumPy's takes three times as long."""
    power = cv2.multiply(values, 2.0)
    cv2.exp(cv2.min(power, 20.0, dst=power), dst=power)  # above it there is only 1
    cv2.add(power, 1.0, dst=power)
    found: Array = cv2.subtract(1.0, cv2.divide(2.0, power, dst=power), dst=power)
    return found


def _twice(image: Array) -> Array:
    """`image` at twice the resolution."""
    return cv2.resize(_pad(image, 2), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)[4:-4, 4:-4]


def _blur(image: Array, sigma: float) -> Array:
    margin = int(3 * sigma) + 1
    blurred = cv2.GaussianBlur(_pad(image, margin), (0, 0), sigma)
    return blurred[margin:-margin, margin:-margin]


def _pad(image: Array, margin: int) -> Array:
    return cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_WRAP)
