"""The picture of the garment alone, for checkpoints that take one: the client's photo, or the render."""

import cv2
import numpy as np

from pipeline.garment.crop import garment_box
from pipeline.garment.pictures import cut_out, decode_garment, decode_mask, decode_render
from pipeline.resize import shrink_within, size_of
from pipeline.strips import strips

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
# Long side, in pixels, of the picture that is returned: no network takes a larger one.
LONGEST_SIDE = 2048


def garment_picture(
    garment_image: np.ndarray,
    jacket_render: np.ndarray,
    client_mask: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    background: Colour = WHITE,
) -> np.ndarray:
    """The garment, (h, w, 3) RGB uint8, C-contiguous, with at most LONGEST_SIDE pixels on its longer side.

    The client's photo if there is one; otherwise the render, cropped to the garment. What is transparent
    becomes `background`, (red, green, blue).

    garment_image, jacket_render, client_mask: compressed bytes, (N,) uint8; one byte means none.
    composite, mask: of `preprocess`; they tell the garment in a canvas without transparency.
    Decoding takes up to 0.2 s: call it in a thread. Raises NotAnImage and InvalidInput.
    """
    if is_given(garment_image):
        return _photo(garment_image, background)
    return _of_render(jacket_render, client_mask, composite, mask, background)


def is_given(data: np.ndarray) -> bool:
    """Whether an optional picture is there. One byte is none: Triton's ensembles have no optional inputs."""
    return data.size != 1


def _photo(data: np.ndarray, background: Colour) -> np.ndarray:
    picture = shrink_within(decode_garment(data), LONGEST_SIDE)
    if picture.shape[2] == 4:
        return _over(cv2.cvtColor(picture, cv2.COLOR_RGBA2mRGBA), background)  # BGR order is kept
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _of_render(
    jacket_render: np.ndarray,
    client_mask: np.ndarray,
    composite: np.ndarray,
    mask: np.ndarray,
    background: Colour,
) -> np.ndarray:
    render = decode_render(jacket_render)
    if is_given(client_mask):
        render = cut_out(render, decode_mask(client_mask))
    if render.shape[2] != 4 or cv2.minMaxLoc(cv2.extractChannel(render, 3))[0] >= 250:
        render = np.dstack([composite, mask])
    x, y, width, height = garment_box(cv2.extractChannel(render, 3)) or (0, 0, *size_of(render))
    drawn = np.ascontiguousarray(render[y : y + height, x : x + width])
    # Premultiplied, so that shrinking does not mix the colours of transparent pixels in.
    return _over(shrink_within(cv2.cvtColor(drawn, cv2.COLOR_RGBA2mRGBA), LONGEST_SIDE), background)


def _over(premultiplied: np.ndarray, background: Colour) -> np.ndarray:
    """(h, w, 4), BGR times alpha and alpha, over a colour: (h, w, 3) RGB."""
    result = np.empty((*premultiplied.shape[:2], 3), np.uint8)
    for rows in strips(0, len(result)):
        part = premultiplied[rows]
        behind = cv2.extractChannel(part, 3)
        behind = cv2.merge([cv2.convertScaleAbs(255 - behind, alpha=c / 255) for c in background])
        result[rows] = cv2.add(cv2.cvtColor(part, cv2.COLOR_BGRA2RGB), behind)
    return result
