"""The light of the whole scene on the garment, instead of that of the model's picture.

The light reader (light_reader.py) tells log E, linear light over the light of the render, in the window of
pipeline/garment/scene.py. What is applied to the render is R of relighting.py, a factor on code values.
With C̄ the render's mean colour around a pixel,

    R = log( (code(E · linear(C̄)) + FLOOR) / (C̄ + FLOOR) ) + share · S

S is the shading of the model's picture: its own R without the garment's mean.
"""

import cv2
import numpy as np

from pipeline.resize import size_of

# The `scene_light` that means "none".
NO_SCENE_LIGHT = np.zeros((1, 1, 3), np.float32)
# Cells of a scene's light over the crop, on its longer side.
_CELLS = 64


def over_crop(log_light: np.ndarray, window: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """The light over the networks' crop, (h, w, 3) float32, BGR: log E in cells, continued beyond the window.

    log_light: (3, n, n) float32, RGB, over the window. window, crop: x, y, width, height in the frame.
    """
    light = cv2.merge([*log_light[::-1]])
    left, top, width, height = (float(value) for value in crop)
    columns, rows = (max(2, round(_CELLS * side / max(width, height))) for side in (width, height))
    cell_x, cell_y = window[2] / light.shape[1], window[3] / light.shape[0]
    scale_x, scale_y = width / columns / cell_x, height / rows / cell_y
    matrix = np.array(
        [
            [scale_x, 0, (left - window[0]) / cell_x + (scale_x - 1) / 2],
            [0, scale_y, (top - window[1]) / cell_y + (scale_y - 1) / 2],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(light, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def on_code_values(log_light: np.ndarray, mean: np.ndarray, floor: float) -> np.ndarray:
    """R, (h, w, 3) float32. log_light: log E. mean: C̄, code values in 0…1. floor: FLOOR of relighting.py."""
    larger = cv2.resize(log_light, size_of(mean), interpolation=cv2.INTER_LINEAR)
    lit = to_code(to_linear(mean) * cv2.exp(larger))
    return cv2.log((lit + np.float32(floor)) / (mean + np.float32(floor)))


def to_linear(code: np.ndarray) -> np.ndarray:
    """sRGB in 0…1 → linear (IEC 61966-2-1), float32."""
    power = cv2.pow(np.maximum(code + np.float32(0.055), 0) * np.float32(1 / 1.055), 2.4)
    return np.where(code <= 0.04045, code * np.float32(1 / 12.92), power)


def to_code(linear: np.ndarray) -> np.ndarray:
    """Linear → sRGB, float32; what is brighter than white is white."""
    power = cv2.pow(np.clip(linear, 1e-6, 1), 1 / 2.4) * np.float32(1.055) - np.float32(0.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), power)
