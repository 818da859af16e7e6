"""Finds how the render's canvas lies on the camera frame.

The client captures a canvas whose size and aspect differ from the frame's. A transparent canvas is stretched
over the frame, as the landmarks are. An opaque canvas shows the video behind the jacket, so the frame can be
located in it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.patch import Box, with_room
from pipeline.garment.pictures import largest_channel
from pipeline.resize import shrink_within, size_of

# Long side, in pixels, at which fits are compared: a person is visible, noise is not.
_COMPARE_AT = 160
# A pixel of the render that differs from the frame by at most so many grey levels counts as equal.
_ALIKE = 16
# Aspects that differ by less than this factor are the same.
_SAME_ASPECT = 1.02
# If a smaller share of the pixels is equal, the canvas does not show this camera's video.
_LEAST_ALIKE = 0.25


@dataclass(frozen=True)
class Registration:
    """How the canvas lies on the frame.

    fit: its name.
    matrix: (2, 3), from pixels of the canvas to pixels of the frame.
    plane: (x, y, width, height) of the part of the canvas that is not black; None means all of it.
    """

    fit: str
    matrix: np.ndarray
    plane: tuple[int, int, int, int] | None = None

    @property
    def scale(self) -> float:
        """Pixels of the frame per pixel of the canvas."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def warp(
        self, canvas: np.ndarray, size: tuple[int, int], window: tuple[int, int, int, int] | None = None
    ) -> np.ndarray:
        """`canvas` placed on a frame of `size` (width, height); 0 where the frame is not covered.

        window: (x, y, width, height), the part of the frame to return; None means all of it.
        """
        x, y, width, height = window or (0, 0, *size)
        matrix = self.matrix.copy()
        if self.plane:  # the black around it would darken the frame's edge
            left, top, columns, rows = self.plane
            canvas = canvas[top : top + rows, left : left + columns]
            matrix[:, 2] += matrix[:, :2] @ (left, top)
        if np.allclose(matrix, stretch(size_of(canvas), size).matrix, atol=1e-6):
            return _stretched(canvas, size, (x, y, width, height))  # the same result in a third of the time
        matrix[:, 2] -= x, y
        return cv2.warpAffine(canvas, matrix, (width, height), flags=cv2.INTER_LINEAR)

    def rows_reached(self, box: Box, size: tuple[int, int]) -> Box:
        """The rows of a frame of `size` (width, height) that `warp` and a blur of 3 pixels may draw on.

        box: the only part of the canvas that is not 0. The rows are whole, since `warp` gives other bytes, if
        only by a grey level, for a window that begins at another column.
        """
        x, y, width, height = box
        if not width:
            return 0, 0, size[0], 0
        # A bilinear pixel reaches one pixel of the canvas further.
        corners = [(left, top, 1) for left in (x - 1, x + width) for top in (y - 1, y + height)]
        rows = self.matrix[1] @ np.array(corners, np.float64).T
        top, bottom = math.floor(rows.min()), math.ceil(rows.max()) + 1
        return with_room((0, top, size[0], bottom - top), 2, size)

    def rescaled(
        self,
        canvas: tuple[int, int],
        small_canvas: tuple[int, int],
        frame: tuple[int, int],
        small_frame: tuple[int, int],
    ) -> "Registration":
        """The same fit between smaller copies of the canvas and the frame; sizes are (width, height).

        It has no `plane`, whose edges need not fall between two pixels of a copy.
        """
        up = _square(_between((0, 0, *small_canvas), (0, 0, *canvas)))
        down = _square(_between((0, 0, *frame), (0, 0, *small_frame)))
        return Registration(self.fit, (down @ _square(self.matrix) @ up)[:2])


def stretch(canvas: tuple[int, int], frame: tuple[int, int]) -> Registration:
    """The fit that stretches the whole canvas over the whole frame; sizes are (width, height)."""
    return Registration("stretch", _between((0, 0, *canvas), (0, 0, *frame)))


def _stretched(canvas: np.ndarray, size: tuple[int, int], window: tuple[int, int, int, int]) -> np.ndarray:
    """`window` of `canvas` stretched to `size` (width, height); hardly any other pixel is computed.

    If both sizes have a common divisor, parts of the canvas become exactly parts of the result.
    """
    parts, cuts = [], []
    for start, length, source, target in zip(window[:2], window[2:], size_of(canvas), size, strict=True):
        divisor = math.gcd(source, target)
        source, target = source // divisor, target // divisor
        first, last = max(0, start // target - 1), min(divisor, -(-(start + length) // target) + 1)
        parts.append((source * first, source * last, target * (last - first)))
        cuts.append(slice(start - target * first, start - target * first + length))
    (left, right, width), (top, bottom, height) = parts
    laid = cv2.resize(canvas[top:bottom, left:right], (width, height), interpolation=cv2.INTER_LINEAR)
    return laid[cuts[1], cuts[0]]


def fits(canvas: tuple[int, int], frame: tuple[int, int]) -> list[Registration]:
    """The fit `stretch`, and if the aspects differ `contain` and `cover`; sizes are (width, height)."""
    found = [stretch(canvas, frame)]
    ratios = (frame[0] / canvas[0], frame[1] / canvas[1])
    if max(ratios) < _SAME_ASPECT * min(ratios):
        return found
    for fit, scale in (("contain", min(ratios)), ("cover", max(ratios))):
        width, height = canvas[0] * scale, canvas[1] * scale
        target = ((frame[0] - width) / 2, (frame[1] - height) / 2, width, height)
        found.append(Registration(fit, _between((0, 0, *canvas), target)))
    return found


def find_video(
    render: np.ndarray,
    frame: np.ndarray,
    candidates: list[Registration] | None = None,
    copies: tuple[np.ndarray, np.ndarray] | None = None,
) -> Registration | None:
    """The fit under which an opaque render, (h, w, 3), shows `frame`, (H, W, 3); None if it does not show it.

    candidates: fits to try. By default: the canvas stretched over the frame, contained in it, covering it,
        and the part of the canvas that is not black (a video plane drawn smaller than the canvas).
    copies: smaller copies of both, which are cheaper to compare.
    """
    frame_size = size_of(frame)
    seen_render, seen_frame = copies or (render, frame)
    if candidates is None:
        candidates = fits(size_of(render), frame_size)
        # The copy is checked first, since most canvases have no black border.
        bordered = _not_black(seen_render) not in (None, (0, 0, *size_of(seen_render)))
        if bordered and (plane := _not_black(render)):
            candidates.append(Registration("plane", _between(plane, (0, 0, *frame_size)), plane))
    small_render, small_frame = (
        shrink_within(seen_render, 2 * _COMPARE_AT),
        shrink_within(seen_frame, _COMPARE_AT),
    )
    sizes = (size_of(render), size_of(small_render), frame_size, size_of(small_frame))
    scores = [_alike(fit.rescaled(*sizes), small_render, small_frame) for fit in candidates]
    best = int(np.argmax(scores))
    return candidates[best] if scores[best] >= _LEAST_ALIKE else None


def _between(source: tuple[float, ...], target: tuple[float, ...]) -> np.ndarray:
    """The matrix from rectangle `source` to `target`, each (x, y, width, height), between pixel centres."""
    sx, sy = target[2] / source[2], target[3] / source[3]
    return np.array(
        [
            [sx, 0, target[0] - sx * source[0] + (sx - 1) / 2],
            [0, sy, target[1] - sy * source[1] + (sy - 1) / 2],
        ]
    )


def _not_black(render: np.ndarray) -> tuple[int, int, int, int] | None:
    bright = (largest_channel(render) > 12).view(np.uint8)
    x, y, width, height = cv2.boundingRect(bright)
    return (x, y, width, height) if width else None


def _alike(fit: Registration, render: np.ndarray, frame: np.ndarray) -> float:
    """The share of the frame's pixels that the render shows unchanged under `fit`."""
    laid = fit.warp(render, size_of(frame))
    difference = largest_channel(cv2.absdiff(laid, frame))
    return np.count_nonzero(difference <= _ALIKE) / difference.size


def _square(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix, (0, 0, 1)])
