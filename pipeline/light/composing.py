"""Lays a light on a live frame and a live canvas, as client.js does: for films and benchmarks.

docs/websocket.md has the formula, in "A light instead of a picture".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.garment.softness import soften
from pipeline.light.light_answer import pixels_of_shares
from pipeline.light.light_map import decode_light
from pipeline.light.relighting import relight, with_detail
from pipeline.light.session_light import similarity
from pipeline.resize import size_of

# Of a light's map where it is applied, in pixels.
SIDE = 256
Size = tuple[int, int]


@dataclass(frozen=True)
class PlacedLight:
    """
    light: (h, w, 3) float32, R over `crop`.
    crop: x, y, width, height. anchor: two shoulders, (2, 2), or None. Both in shares of the frame.
    layer: (2, 3), from shares of the frame to shares of the canvas; None if it is stretched over the frame.
    occlusion: (h, w) uint8 over `crop`, 255 where the canvas is hidden; None: nowhere.
    sigma: in shares of the crop's height. detail_gain: as in relighting.py.
    """

    light: np.ndarray
    crop: np.ndarray
    anchor: np.ndarray | None
    layer: np.ndarray | None
    occlusion: np.ndarray | None
    sigma: float
    detail_gain: float

    @classmethod
    def of(cls, image: bytes, told: dict[str, Any], occlusion: bytes | None) -> "PlacedLight":
        """image: the light's WebP. told: the answer's `crop`, `anchor`, `layer_matrix` and `light_coding`."""
        light = cv2.resize(decode_light(_array(image)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        hidden = None if not occlusion else cv2.imdecode(_array(occlusion), cv2.IMREAD_GRAYSCALE)
        anchor, layer, coding = told["anchor"], told["layer_matrix"], told["light_coding"]
        return cls(
            light,
            np.array(told["crop"], np.float64),
            None if anchor is None else np.array(anchor, np.float64),
            None if layer is None else np.array(layer, np.float64).reshape(2, 3),
            hidden,
            coding["sigma"],
            coding["detail_gain"],
        )

    def onto(self, size: Size, shoulders: np.ndarray | None) -> np.ndarray:
        """(3, 3), from pixels of the light to those of a frame of this size.

        shoulders: of the person in that frame, (2, 2) in shares; None: the light stays where it was.
        """
        x, y, width, height = self.crop * [*size, *size]
        crop = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ _stretched((SIDE, SIDE), (width, height))
        if self.anchor is None or shoulders is None:
            return crop
        shoulders_there, shoulders_here = self.anchor * size - 0.5, shoulders * size - 0.5
        moved: np.ndarray = similarity(shoulders_there, shoulders_here) @ crop
        return moved


def steadied(lights: Sequence[PlacedLight], weights: Sequence[float], at: int, size: Size) -> np.ndarray:
    """The weighted mean of the lights of neighbouring frames, moved onto that of frame `at`: (h, w, 3)."""
    here = np.linalg.inv(lights[at].onto(size, None))
    total = np.zeros_like(lights[at].light)
    for light, weight in zip(lights, weights, strict=True):
        between = here @ light.onto(size, lights[at].anchor)
        total += np.float32(weight / sum(weights)) * _warped(light.light, between, (SIDE, SIDE))
    return total


def composed(
    frame: np.ndarray,
    layer: np.ndarray,
    placed: PlacedLight,
    light: np.ndarray | None = None,
    move: np.ndarray | None = None,
) -> np.ndarray:
    """`layer` on `frame`, in the light: (H, W, 3) BGR uint8.

    frame: (H, W, 3) BGR uint8. layer: (h, w, 3 or 4) BGR(A) uint8, not premultiplied; of any size.
    light: in place of the placed one's own. move: (3, 3), from pixels of the keyframe's frame to this one's.
    """
    size = size_of(frame)
    place = placed.onto(size, None)
    if move is not None:
        place = move @ place
    drawn, coverage = _drawn(layer, placed.layer, size)
    if placed.occlusion is not None:
        hidden = _warped(placed.occlusion, place @ _stretched(size_of(placed.occlusion), (SIDE, SIDE)), size)
        coverage = cv2.multiply(coverage, 255 - hidden, scale=1 / 255)
    share = cv2.merge([coverage] * 3)
    start = cv2.add(
        cv2.multiply(drawn, share, scale=1 / 255), cv2.multiply(frame, 255 - share, scale=1 / 255)
    )
    back = np.linalg.inv(place)
    small = _warped(start, back, (SIDE, SIDE))
    there = _warped(coverage, back, (SIDE, SIDE), cv2.BORDER_CONSTANT).astype(np.float32) / 255
    ratio = placed.light if light is None else light
    full = with_detail(ratio, small, [there], placed.sigma * SIDE, placed.detail_gain)
    return relight(start, _warped(full, place, size), coverage)


def _drawn(layer: np.ndarray, matrix: np.ndarray | None, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """The canvas on the frame: its colours, (H, W, 3), and its coverage, (H, W)."""
    if layer.shape[2] == 3:
        layer = cv2.cvtColor(layer, cv2.COLOR_BGR2BGRA)
    laid = cv2.cvtColor(layer, cv2.COLOR_RGBA2mRGBA)  # OpenCV's name; the order of colours stays
    if matrix is None:
        shrinks = layer.shape[0] > size[1]
        laid = cv2.resize(laid, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    else:
        onto_canvas = (
            pixels_of_shares(size_of(layer))
            @ np.vstack([matrix, (0, 0, 1)])
            @ np.linalg.inv(pixels_of_shares(size))
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        laid = cv2.warpAffine(laid, onto_canvas[:2], size, flags=flags)
    laid = soften(laid, size[0] / layer.shape[1])
    straight = cv2.cvtColor(laid, cv2.COLOR_mRGBA2RGBA)
    return cv2.cvtColor(straight, cv2.COLOR_BGRA2BGR), cv2.extractChannel(laid, 3)


def _stretched(size: Size, to: tuple[float, float]) -> np.ndarray:
    """From pixels of a picture to those of the same picture in another size, (3, 3)."""
    stretched: np.ndarray = pixels_of_shares(to) @ np.linalg.inv(pixels_of_shares(size))
    return stretched


def _warped(
    picture: np.ndarray, matrix: np.ndarray, size: Size, border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    return cv2.warpAffine(picture, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=border)


def _array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
