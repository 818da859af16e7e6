"""Where in a photo there is only cloth: beside a card, a tag or a hand that lies on it.

The cloth is what most of the photo looks like, in colour and in texture. What is far from that is an object
if there is only a little of it: a print's motifs are many, stripes run across the photo, and a shadow changes
neither the colour nor the texture.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fabric.holes import surroundings
from fabric.light import shadow_on_cloth, srgb_to_linear
from fabric.shadow import Shadow
from fabric.shrink import shrink

PREVIEW = 512  # pixels of the longer side
MAX_OBJECTS = 3
MAX_COVERED = 0.6  # of the photo
MIN_FREE = 0.2  # of the shorter side; a smaller piece of cloth shows too little of the weave
_CELL = 8  # preview pixels
_SMALLEST = 0.002  # of the photo
_FAR = 4.0  # standard deviations of the cloth
_FLOORS = np.array([4.0, 2.5, 2.5, 0.25], np.float32)  # of these deviations: L, a, b, log of the texture
_EVEN = np.array([12.0, 8.0, 8.0, 1.0], np.float32)  # larger deviations are no single cloth
_COLOUR, _TEXTURE = 7.0, 0.7  # a shadow differs by less
_MAIN = 0.2  # of the photo: what is so large, and in its middle, is what the photo was taken of
_CENTRAL = 0.85  # of the middle's cells
_FRAMED = 2.5  # deviations between the middle and the border; a print or a shadow on all of the photo has 1.5


@dataclass(frozen=True)
class Region:
    """The largest square of cloth, in pixels.

    beside: what the picture shows besides cloth: an "object" that lies on it, or, as it seems, the "table" on
    which it lies. shadow: a straight one on the whole picture, not only on the square.
    """

    top: int
    left: int
    side: int
    beside: str | None = None
    shadow: Shadow | None = None

    @property
    def offset(self) -> np.ndarray:
        """3×3 from the square's pixels to the photo's."""
        return np.array([[1.0, 0, self.left], [0, 1, self.top], [0, 0, 1]])

    def of(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]


def find_region(colour: np.ndarray, alpha: np.ndarray | None = None, table: bool = False) -> Region:
    """The square of a photo (H, W, 3) uint8 that shows only cloth; the middle of it if all of it does.

    table: there may be one, of which the photo shows more than of the cloth.
    """
    height, width = colour.shape[:2]
    linear = srgb_to_linear(small(colour))
    shadow = shadow_on_cloth(linear)
    shorter = min(height, width)
    whole = Region((height - shorter) // 2, (width - shorter) // 2, shorter, shadow=shadow)
    features = _features(linear, shadow)
    cells = _objects(features)
    if table and alpha is None:
        if (swatch := _in_the_middle(cells)) is not None:
            inside = _largest_square(~swatch, whole, (height, width))
            if inside is not whole:
                # A hand at the swatch's edge is as unlike the table as the cloth is.
                free = find_region(np.ascontiguousarray(inside.of(colour)))
                return Region(inside.top + free.top, inside.left + free.left, free.side, "table", shadow)
        if not cells.any() and _is_framed(features):
            return replace(whole, beside="table")
    whole = replace(whole, beside="object" if cells.any() else None)
    if alpha is not None:
        cells = cells | surroundings(shrink(alpha, cells.shape[1], cells.shape[0]))
    return _largest_square(cells, whole, (height, width)) if cells.any() else whole


def _largest_square(blocked: np.ndarray, whole: Region, size: tuple[int, int]) -> Region:
    """The largest square without blocked cells; `whole` if it is small.

    blocked: (rows, columns) bool. size: the picture's (height, width).
    """
    height, width = size
    free = cv2.erode(1 - blocked.astype(np.uint8), np.ones((3, 3), np.uint8))  # also an edge and its shadow
    # The chessboard distance to what is blocked or outside is half the side of a square.
    distance = cv2.distanceTransform(np.pad(free, 1), cv2.DIST_C, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(distance.argmax(), distance.shape)
    reach = float(distance[row, column]) - 0.5
    scale = width / blocked.shape[1], height / blocked.shape[0]
    side = int(2 * reach * min(scale))
    if side < MIN_FREE * min(height, width):
        return whole
    top = int(np.clip((row + 0.5) * scale[1] - side / 2, 0, height - side))
    left = int(np.clip((column + 0.5) * scale[0] - side / 2, 0, width - side))
    return replace(whole, top=top, left=left, side=side)


def _in_the_middle(objects: np.ndarray) -> np.ndarray | None:
    """The object that is the cloth itself: then most of the photo is table."""
    rows, columns = objects.shape
    _, labels = cv2.connectedComponents(objects.astype(np.uint8))
    middle = labels[max(0, rows // 2 - 2) : rows // 2 + 3, max(0, columns // 2 - 2) : columns // 2 + 3]
    label = int(np.median(middle))
    swatch: np.ndarray = labels == label
    if label == 0 or (middle == label).mean() < _CENTRAL or swatch.mean() < _MAIN:
        return None
    return swatch


def find_objects(colour: np.ndarray) -> np.ndarray:
    """Which cells of the photo show something else than its cloth: (rows, columns) bool."""
    linear = srgb_to_linear(small(colour))
    return _objects(_features(linear, shadow_on_cloth(linear)))


def _objects(features: np.ndarray) -> np.ndarray:
    flat = features.reshape(-1, 4)
    cloth, spread = _middle_and_spread(flat)
    nothing = np.zeros(features.shape[:2], bool)
    if (spread > _EVEN).any():
        return nothing
    away = features - cloth
    far = (np.abs(away) / np.maximum(spread, _FLOORS)).max(axis=2) > _FAR
    mask = cv2.morphologyEx(far.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    objects = [
        labels == number
        for number in range(1, count)
        if stats[number, cv2.CC_STAT_AREA] >= max(3, _SMALLEST * mask.size)
    ]
    found = np.logical_or.reduce([nothing, *objects])
    if not objects or len(objects) > MAX_OBJECTS or found.mean() > MAX_COVERED:
        return nothing
    if not all(_is_object(np.median(away[one], axis=0), one) for one in objects):
        return nothing
    return found


def _is_framed(features: np.ndarray) -> bool:
    """Whether the photo's border differs from its middle in hue or texture, as a table from a swatch."""
    rows, columns = features.shape[:2]
    if min(rows, columns) < 12:
        return False
    features = features.copy()
    # In CIELAB a colour in less light has a and b that are smaller as L + 16 is: here as in one light.
    features[..., 1:3] *= 66 / (features[..., :1] + 16)
    wide = max(2, rows // 12)
    inner = np.zeros((rows, columns), bool)
    inner[wide:-wide, wide:-wide] = True
    middle = features[rows // 3 : -(rows // 3), columns // 3 : -(columns // 3)].reshape(-1, 4)
    (one, spread), (other, around) = (_middle_and_spread(part) for part in (middle, features[~inner]))
    apart = np.abs(one - other) / np.maximum(np.maximum(spread, around), _FLOORS)
    return bool(apart[1:].max() > _FRAMED)


def _middle_and_spread(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of cells (N, 4): the median of each feature, and a deviation from it that outliers do not change."""
    median = np.median(cells, axis=0)
    return median, 1.4826 * np.median(np.abs(cells - median), axis=0)


def _is_object(away: np.ndarray, cells: np.ndarray) -> bool:
    """away: its colour and texture relative to the cloth's."""
    coloured, textured = float(np.hypot(away[1], away[2])), abs(float(away[3]))
    lit = away[0] > 12  # brighter than the cloth: no shadow
    across = cells[:, 0].any() and cells[:, -1].any()
    down = cells[0].any() and cells[-1].any()
    if across or down:  # a stripe has the cloth's texture
        return textured > 2 * _TEXTURE
    return bool(coloured > _COLOUR or textured > _TEXTURE or lit)


def _features(linear: np.ndarray, shadow: Shadow | None) -> np.ndarray:
    """Those of the cells, as if there were no shadow."""
    features = cell_features(_without_shadow(linear, shadow))
    if shadow:
        dark = shadow.darkness(*features.shape[:2]).mean(axis=2)
        lit = dark > (dark.min() + dark.max()) / 2
        if lit.any() and not lit.all():
            # In the dark a camera and its JPEG lose detail: the lit part would look like another cloth.
            seen, lost = (float(np.median(features[..., 3][part])) for part in (lit, ~lit))
            features[lit, 3] -= max(0.0, seen - lost)
    return features


def _without_shadow(linear: np.ndarray, shadow: Shadow | None) -> np.ndarray:
    """Linear RGB, in which the shadowed part is as bright as the rest."""
    if shadow is None:
        return linear
    lit: np.ndarray = linear * np.exp(-shadow.darkness(*linear.shape[:2]))
    return np.minimum(lit, 1)


def small(colour: np.ndarray) -> np.ndarray:
    """The picture with at most `PREVIEW` pixels on its longer side."""
    scale = min(1.0, PREVIEW / max(colour.shape[:2]))
    height, width = (max(_CELL, round(side * scale)) for side in colour.shape[:2])
    return shrink(colour, width, height)


def cell_features(linear: np.ndarray) -> np.ndarray:
    """Of each cell: its mean L, a and b, and the logarithm of its fine detail's contrast."""
    height, width = linear.shape[:2]
    lab = cv2.cvtColor(linear, cv2.COLOR_LRGB2LAB)
    lightness = cv2.extractChannel(lab, 0)
    detail = cv2.absdiff(lightness, cv2.GaussianBlur(lightness, (0, 0), 4))
    all_four = cv2.merge([lab, detail])
    cells = cv2.resize(
        all_four, (max(1, width // _CELL), max(1, height // _CELL)), interpolation=cv2.INTER_AREA
    )
    cells = cv2.medianBlur(cells, 3) if min(cells.shape[:2]) >= 3 else cells
    # Relative to the brightness: a shadow dims the detail, too.
    cells[..., 3] = np.log2(1 + 50 * cells[..., 3] / np.maximum(cells[..., 0], 10))
    return cells
