"""The tile's position in the photo: one affine map rotates, scales and crops it to whole repeats."""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric.repeat import Repeat
from fabric.view import pixels_per_pixel

OVERLAP = 1 / 8  # of the tile's side; the seam's path runs within it
_SEARCH = 1 / 16  # of the side: how far the far border may be moved to match the near border
_SLANT = 0.006  # of the side
_COARSE = 256
_ROUND = 0.05  # of the ratio of the tile's sides: a deviation that the eye does not see as a stretched motif
_NO_BANDS = 1.25  # photo pixels per tile pixel above which bilinear interpolation shows no bands
_ENLARGED = 0.9  # and above which that is quicker than a cubic warp, on an enlarged photo
_FINER = 1.5  # times as large as the photo, by cubic interpolation of rows and columns
_AROUND = 4  # pixels of the photo around the tile that its border depends on
_SINGLE = 1.5  # up to which one sample for each tile pixel is nearest to the mean of its area, and four blur
_MANY = 3.0  # photo pixels per tile pixel above which the photo is blurred instead of sampled more finely


@dataclass(frozen=True)
class Frame:
    """The tile's sides as vectors in the photo's pixels (x, y), starting at `origin`.

    Points that are one side apart look alike.
    """

    origin: np.ndarray
    across: np.ndarray
    down: np.ndarray

    @property
    def rotation(self) -> float:
        """The rotation of the cloth in the photo, in degrees, clockwise positive."""
        return float(np.degrees(np.arctan2(self.across[1], self.across[0])))

    @property
    def aspect(self) -> float:
        """The tile's width by its height on the cloth. Both are `size` pixels in a map."""
        return float(np.linalg.norm(self.across) / np.linalg.norm(self.down))


def choose_frame(grey: np.ndarray, repeats: tuple[Repeat | None, Repeat | None]) -> Frame:
    """The largest tile of whole repeats that fits into `grey` (N, N) uint8 together with its overlap.

    Its sides are as equal as whole repeats allow, since maps are square and would stretch the cloth. Along an
    axis without a repeat, the side's length is the one at which far and near border match best.
    """
    side = len(grey)
    room = longest_side(side)
    angle = _rotation(repeats)
    turn = np.array([np.cos(angle), np.sin(angle)])
    # The rotated square must fit with its overlap: rotation enlarges its extent by |cos| + |sin|.
    length = room / (abs(turn[0]) + abs(turn[1]))
    axes = turn, np.array([-turn[1], turn[0]])
    lengths = _lengths(repeats, length)
    sides = [
        np.array(repeat.vector) * (wanted / repeat.period) if repeat else wanted * axis
        for repeat, axis, wanted in zip(repeats, axes, lengths, strict=True)
    ]
    frame = _centred(side, *sides)
    margin = int(side * _SEARCH / 2)
    if all(repeats):
        return _centred(side, *sides)
    scale = min(1.0, _COARSE * 2 / side)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sides = [
        vector if repeat else _matched(small, scale, frame, vector, margin)
        for repeat, vector in zip(repeats, sides, strict=True)
    ]
    return _centred(side, *sides)


def longest_side(side: int) -> float:
    """Of a tile that fits with its overlap into a square of `side` pixels, and is not turned."""
    return side / (1 + OVERLAP) * 0.995


def cut_out(image: np.ndarray, frame: Frame, size: int, to_image: np.ndarray | None = None) -> np.ndarray:
    """The frame and its overlap as (size + b, size + b, C), where b = size × OVERLAP.

    to_image: 3×3 from the frame's pixels to the image's, so that perspective, rotation and scale are one
    resampling; None is the same pixels. Every pixel of the photo contributes.
    """
    wide = size + int(size * OVERLAP)
    matrix = tile_matrix(frame, size, to_image)
    shrink = pixels_per_pixel(matrix, np.array([wide / 2, wide / 2]))
    if shrink > _MANY:  # a finer grid would still skip pixels: blur first
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    finer = 2 if _SINGLE < shrink <= _MANY else 1
    # Near a scale of 1 bilinear interpolation blurs between pixels, but not on them. A weave shows that as
    # bands.
    taps = cv2.INTER_LINEAR if shrink > _NO_BANDS else cv2.INTER_CUBIC
    if _ENLARGED < shrink <= _NO_BANDS:
        image, enlarged = _finer(image, corners_seen(matrix, wide))
        matrix, taps = enlarged @ matrix, cv2.INTER_LINEAR
    if finer > 1:
        matrix = matrix @ np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    flags = taps | cv2.WARP_INVERSE_MAP
    shape = wide * finer, wide * finer
    if not matrix[2, :2].any():  # seen straight from above: two thirds of the time
        tile = cv2.warpAffine(
            image, matrix[:2] / matrix[2, 2], shape, flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
    else:
        tile = cv2.warpPerspective(image, matrix, shape, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return tile if finer == 1 else cv2.resize(tile, (wide, wide), interpolation=cv2.INTER_AREA)


def corners_seen(matrix: np.ndarray, side: int) -> np.ndarray:
    """Where the corners of a square of `side` pixels lie (4, 2) after 3×3 `matrix`."""
    square = np.array([[[0.0, 0], [side, 0], [side, side], [0, side]]])
    seen: np.ndarray = cv2.perspectiveTransform(square, matrix)[0]
    return seen


def _finer(image: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of an image around `corners` (N, 2), `_FINER` times as large, and 3×3 from the image to it."""
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - _AROUND, 0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + _AROUND
    part = image[low[1] : bottom, low[0] : right]
    larger = cv2.resize(part, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_CUBIC)
    # Also where the part has an odd side, of whose last pixel only a half is there: OpenCV keeps the factor.
    x, y = _FINER * (0.5 - low) - 0.5
    return larger, np.array([[_FINER, 0, x], [0, _FINER, y], [0, 0, 1]])


def tile_matrix(frame: Frame, size: int, to_image: np.ndarray | None = None) -> np.ndarray:
    """3×3 from the tile's pixels to those of the image, before the tile is rolled."""
    scale = np.column_stack([frame.across, frame.down]) / size
    centre = frame.origin + scale @ [0.5, 0.5] - 0.5  # pixel centres
    matrix = np.vstack([np.column_stack([scale, centre]), [0.0, 0.0, 1.0]])
    return matrix if to_image is None else to_image @ matrix


def _rotation(repeats: tuple[Repeat | None, Repeat | None]) -> float:
    """The mean rotation of the repeats, in radians; 0 without repeats."""
    across, down = repeats
    turns = []
    if across:
        turns.append((np.arctan2(across.vector[1], across.vector[0]), across.confidence))
    if down:
        turns.append((np.arctan2(-down.vector[0], down.vector[1]), down.confidence))
    total = sum(weight for _, weight in turns)
    return float(sum(turn * weight for turn, weight in turns) / total) if turns else 0.0


def _lengths(repeats: tuple[Repeat | None, Repeat | None], longest: float) -> tuple[float, float]:
    """Lengths of the tile's sides: whole repeats, as large and as equal as possible."""
    free = longest * (1 - _SEARCH)
    # All lengths that are possible for each side.
    across, down = (
        repeat.period * np.arange(1, max(1, int(longest / repeat.period)) + 1) if repeat else None
        for repeat in repeats
    )
    if across is None or down is None:
        x = free if across is None else float(across[-1])
        y = free if down is None else float(down[-1])
        return (min(x, y), y) if across is None else (x, min(x, y))
    uneven = np.abs(np.log(np.divide.outer(across, down)))
    score = np.log(np.multiply.outer(across, down)) - (uneven / _ROUND) ** 2
    i, j = np.unravel_index(score.argmax(), score.shape)
    return float(across[i]), float(down[j])


def _centred(side: int, across: np.ndarray, down: np.ndarray) -> Frame:
    """The frame whose parallelogram, including its overlap, is centred in the photo."""
    origin = np.array([side / 2, side / 2]) - (across + down) * (1 + OVERLAP) / 2
    return Frame(origin, across, down)


def _matched(small: np.ndarray, scale: float, frame: Frame, vector: np.ndarray, margin: int) -> np.ndarray:
    """`vector`, changed by up to `margin` pixels so that the overlap at its end matches the near one best.

    small: the picture, reduced by `scale`.
    """
    near = frame.origin * scale
    horizontal = abs(vector[0]) > abs(vector[1])
    other = frame.down if horizontal else frame.across
    depth = np.linalg.norm(vector) * OVERLAP * scale
    length = np.linalg.norm(other) * scale
    box = np.array([depth, length] if horizontal else [length, depth])
    reach = margin * scale
    far = near + vector * scale
    x0, y0 = np.maximum(near, 0).astype(int)
    width, height = box.astype(int)
    u0, v0 = np.maximum(far - reach, 0).astype(int)
    template = small[y0 : y0 + height, x0 : x0 + width]
    field = small[v0 : v0 + height + int(2 * reach), u0 : u0 + width + int(2 * reach)]
    if field.shape[0] < template.shape[0] or field.shape[1] < template.shape[1]:
        return vector
    match = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
    # Sideways the border may move only as far as nobody sees the cloth slanted.
    rows, columns = np.ogrid[: match.shape[0], : match.shape[1]]
    moved_x, moved_y = u0 + columns - x0 - vector[0] * scale, v0 + rows - y0 - vector[1] * scale
    along = vector / np.linalg.norm(vector)
    sideways = np.abs(moved_x * along[1] - moved_y * along[0])
    match = np.where(sideways <= max(1.0, _SLANT * np.linalg.norm(vector) * scale), match, -2)
    row, column = np.unravel_index(match.argmax(), match.shape)
    return (np.array([u0 + column - x0, v0 + row - y0])) / scale
