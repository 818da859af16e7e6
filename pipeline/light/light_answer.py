"""What a client needs beside the light's map to apply it: where it lies, and the numbers of the formula."""

import json
from typing import Any

import numpy as np

from pipeline.light.light_map import RANGE
from pipeline.light.relighting import FLOOR
from pipeline.light.session_light import View
from pipeline.recipe import Recipe


def describe(view: View, recipe: Recipe, laying: str, occlusion: str | None) -> dict[str, Any]:
    """The report's `light`. Places are shares of the frame's width and height, as the landmarks are.

    laying: of pipeline.garment.laying; empty if it is unknown.
    occlusion: of pipeline.garment.occlusion.
    """
    size = np.array(view.size)
    crop = np.array(view.crop).reshape(2, 2) / size
    anchor = None if view.shoulders is None else (view.shoulders / size).round(5).tolist()
    return {
        "crop": crop.ravel().round(5).tolist(),
        "anchor": anchor,
        "layer_matrix": layer_matrix(laying) if laying else None,
        "occlusion": occlusion,
        "light_coding": {
            "range": RANGE,
            "floor": FLOOR,
            "sigma": round(recipe.relight_sigma / recipe.resolution[0], 6),
            "detail_gain": recipe.laid_detail_gain,
        },
    }


def layer_matrix(laying: str) -> list[float] | None:
    """From places on the frame to places on the client's canvas, both in shares of width and height: the two
    rows of a matrix, (x, y, 1) → (u, v); None if the canvas is stretched over the frame."""
    laid = json.loads(laying)
    onto_frame = np.vstack([laid["matrix"], (0, 0, 1)])  # between the middles of pixels
    canvas, frame = (pixels_of_shares(laid[name]) for name in ("canvas", "frame"))
    matrix = np.linalg.inv(canvas) @ np.linalg.inv(onto_frame) @ frame
    return None if np.allclose(matrix, np.eye(3), atol=1e-4) else matrix[:2].round(6).ravel().tolist()


def pixels_of_shares(size: tuple[float, float]) -> np.ndarray:
    """From shares of a picture of (width, height) to its pixels, (3, 3): the middle of the first one is 0."""
    return np.array([[size[0], 0, -0.5], [0, size[1], -0.5], [0, 0, 1]])
