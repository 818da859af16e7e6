"""Finds the outline of a swatch that lies on a table, in light or half in shadow.

It is the largest convex quadrilateral that differs from its surroundings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np

from fabric.edges import bordered, cross, is_of_print, shadow_along, snapped, widened
from fabric.errors import FabricError
from fabric.ground import border, difference, texture, whitened
from fabric.light import linear_to_srgb, srgb_to_linear
from fabric.shadow import Shadow, find_shadows
from fabric.shrink import shrink

MIN_CONFIDENCE = 0.55
_PREVIEW = 512
_TRIED = 2  # rough outlines of each kind that are looked at closely
_ROUGH = 0.8  # overlap with a contour, below which no exact outline has fitted it
_SHAPELESS = 0.65  # the same of its hull's corners, below which no lines along its sides have fitted either
_CLEAR = 0.75  # confidence with which no shadow is looked for
_SURE = 1.05  # confidence with which no other shadow is tried
_PARTIAL = 0.5  # of the confidence of an outline with a side that is a shadow's edge
_SWATCH = 0.15  # of the photo: what is smaller, and unclear, lies on the cloth
_POINTS = 400  # of a contour, which are as good as all of them
_SAME = 3.0  # pixels of the preview between corners that are snapped to the same edges


@dataclass(frozen=True)
class Outline:
    """corners: (4, 2) in pixels, clockwise from the top left. confidence: 0 to 1."""

    corners: np.ndarray
    confidence: float


def find_outline(photo: np.ndarray, preview: np.ndarray | None = None) -> Outline | None:
    """The swatch's outline in (H, W, 3) uint8 RGB, or None if the cloth fills the photo.

    preview: the photo as `preview_of` makes it, where that is at hand.
    """
    preview = preview_of(photo) if preview is None else preview
    linear = srgb_to_linear(preview)
    log = cv2.merge([cv2.log(np.maximum(linear, 1e-3)), np.ones(linear.shape[:2], np.float32)])
    found, edges = [], []
    for look in (_confident, _by_texture):  # neither needs to know the shadow
        outline, edge = _whole(look(photo, preview), photo, log)
        if outline and outline.confidence >= _CLEAR:
            return _exact(photo, outline)
        found.append(outline)
        edges += [edge] if edge else []
    for shadow in chain(edges, find_shadows(linear)):
        lit = linear * np.exp(-shadow.darkness(*linear.shape[:2]))
        lit = linear_to_srgb(lit / max(1.0, float(lit.max()) * 0.9))
        outline, _ = _whole(_confident(photo, lit), photo, log)
        found.append(outline)
        if outline and outline.confidence >= _SURE:
            break
    outlines = [(cv2.contourArea(one.corners.astype(np.float32)), one) for one in found if one]
    if not outlines:
        return None
    # The shadow's other half has the rest of the swatch: a much smaller outline is a part of the larger.
    enough = 0.8 * max(area for area, _ in outlines)
    return _exact(
        photo,
        max((one for area, one in outlines if area >= enough), key=lambda outline: outline.confidence),
    )


def _exact(photo: np.ndarray, outline: Outline) -> Outline:
    corners = snapped(photo, widened(photo, outline.corners), 0.01)
    return Outline(outline.corners if corners is None else corners, min(1.0, outline.confidence))


def _whole(
    outline: Outline | None, photo: np.ndarray, log: np.ndarray
) -> tuple[Outline | None, Shadow | None]:
    """The outline; with less confidence if a side is a shadow's edge, which is the second value.

    log: as `shadow_along` takes it.
    """
    if outline is None or is_of_print(photo, outline.corners):
        return None, None
    scale = np.array(photo.shape[1::-1]) / log.shape[1::-1]
    corners = (outline.corners + 0.5) / scale - 0.5
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        shadow = shadow_along(log, start, end)
        if shadow:
            return Outline(outline.corners, outline.confidence * _PARTIAL), shadow
    return outline, None


def _confident(photo: np.ndarray, preview: np.ndarray) -> Outline | None:
    """The outline of which one can be sure."""
    lab = cv2.cvtColor(cv2.GaussianBlur(preview, (0, 0), 2.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    for ground, likeness in _grounds(lab):
        best = _best(photo, ground, likeness)
        if best and best.confidence >= MIN_CONFIDENCE:
            return best
    return None


def _grounds(lab: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is high on the swatch, and what tells how clear its edge is, as `_best` takes them.

    By colour; or, if a pattern's mean colour is the table's, by how much the pattern varies around it; or by
    what the table's own variation, as that of wood, does not explain.
    """
    away = difference(lab)
    yield away, lab
    varied = cv2.GaussianBlur(away, (0, 0), 6)
    yield varied, varied
    turned = whitened(lab)
    yield np.minimum(cv2.sqrt(cv2.transform(turned * turned, np.ones((1, 3)))) * 6, 120), turned * 6


def _by_texture(photo: np.ndarray, preview: np.ndarray) -> Outline | None:
    """The outline of what has another texture than the table, in whatever light and colour."""
    seen = texture(photo, preview)
    away = np.abs(seen - np.median(border(seen)))
    best = _best(photo, np.minimum(away, 120), seen)
    return best if best and best.confidence >= MIN_CONFIDENCE else None


def _best(photo: np.ndarray, ground: np.ndarray, likeness: np.ndarray) -> Outline | None:
    """The surest outline of an area where `ground` is high; `likeness` tells how clear its edge is."""
    scale = np.array(photo.shape[1::-1]) / ground.shape[1::-1]
    rough = []
    for mask in _masks(ground):
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in sorted(contours, key=cv2.contourArea)[-2:]:
            rough += [
                (_overlap(corners, contour, mask.shape), corners, contour)
                for corners in _quadrilaterals(contour, mask.shape)
            ]
    outlines = []
    tried: list[np.ndarray] = []
    for overlap, corners, contour in sorted(rough, key=lambda one: -one[0]):
        if overlap < _ROUGH:
            break
        if len(tried) == _TRIED or any(np.abs(corners - other).max() < _SAME for other in tried):
            continue
        tried.append(corners)
        exact = snapped(photo, (corners + 0.5) * scale - 0.5, 0.035)
        if exact is not None:
            inside = (exact + 0.5) / scale - 0.5
            fit, clarity = _confidence(likeness, inside, contour)
            large = cv2.contourArea(inside.astype(np.float32)) > _SWATCH * ground.shape[0] * ground.shape[1]
            if large and fit * clarity < MIN_CONFIDENCE <= fit:
                clarity = max(clarity, (bordered(photo, exact) - 0.5) / 0.3)
            outlines.append(Outline(exact, fit * min(clarity, 1)))
    return max(outlines, key=lambda outline: outline.confidence, default=None)


def ordered(corners: np.ndarray) -> np.ndarray:
    """Four points (4, 2), clockwise from the top left. Raises FabricError if their shape is not convex."""
    centre = corners.mean(axis=0)
    angles = np.arctan2(*(corners - centre).T[::-1])
    clockwise = corners[np.argsort(angles)]
    clockwise = np.roll(clockwise, -int(clockwise.sum(axis=1).argmin()), axis=0)
    sides = np.roll(clockwise, -1, axis=0) - clockwise
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    if not (turns > 1).all() or min(np.linalg.norm(sides, axis=1)) < 16:
        raise FabricError(
            "INVALID_INPUT", "corners must form a convex shape whose sides have at least 16 pixels"
        )
    return clockwise


def preview_of(photo: np.ndarray) -> np.ndarray:
    """The photo, shrunk so that its longer side has `_PREVIEW` pixels."""
    scale = _PREVIEW / max(photo.shape[:2])
    return shrink(photo, round(photo.shape[1] * scale), round(photo.shape[0] * scale))


def _masks(difference: np.ndarray) -> list[np.ndarray]:
    """Masks of large differences by two thresholds: 255 inside, 0 outside."""
    byte = cv2.convertScaleAbs(difference, alpha=2)
    otsu, _ = cv2.threshold(byte, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    kernel = np.ones((9, 9), np.uint8)
    masks = []
    for threshold in (otsu, otsu * 0.6):
        mask = cv2.threshold(byte, threshold, 255, cv2.THRESH_BINARY)[1]
        masks.append(
            cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
        )
    return masks


def _quadrilaterals(contour: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """The contour's four corners (4, 2), as its hull has them and as lines along its sides have them.

    None if it is no quadrilateral or runs along the photo's border.
    """
    height, width = shape
    area = cv2.contourArea(contour)
    if not 0.08 * width * height < area < 0.97 * width * height:
        return []
    hull = cv2.convexHull(contour)
    for tolerance in (0.01, 0.02, 0.03, 0.05):
        polygon = cv2.approxPolyDP(hull, tolerance * cv2.arcLength(hull, True), True)
        if len(polygon) == 4:
            break
    else:
        return []
    try:
        corners = ordered(polygon.reshape(4, 2).astype(np.float64))
        if _on_border(corners, width, height):
            return []
        if _overlap(corners, contour, shape) < _SHAPELESS:
            return []
        return [corners, ordered(_fitted(contour.reshape(-1, 2), corners))]
    except FabricError:
        return []


def _fitted(contour: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """`corners`, moved to where lines along the contour's four sides cross: masks have rounded corners."""
    contour = contour[:: max(1, len(contour) // _POINTS)]
    for _ in range(3):
        sides = np.roll(corners, -1, axis=0) - corners
        lengths = np.linalg.norm(sides, axis=1)
        away = contour[:, None] - corners  # (points, sides, 2)
        along = (away * sides).sum(axis=2) / lengths**2
        apart = np.abs(away[..., 0] * sides[:, 1] - away[..., 1] * sides[:, 0]) / lengths
        nearest = np.where((along > 0.08) & (along < 0.92), apart, np.inf).argmin(axis=1)
        used = apart[np.arange(len(contour)), nearest] < 0.12 * lengths[nearest]
        points = [contour[used & (nearest == side)].astype(np.float32) for side in range(4)]
        if min(map(len, points)) < 8:
            return corners
        lines = [tuple(cv2.fitLine(one, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().tolist()) for one in points]
        crossings = [cross(lines[side - 1], lines[side]) for side in range(4)]
        if any(crossing is None for crossing in crossings):
            return corners
        corners = np.array(crossings)
    return corners


def _on_border(corners: np.ndarray, width: int, height: int) -> bool:
    """Whether a side runs along the photo's own border: then it is a shadow's edge and no outline."""
    far = np.array([width, height]) * 0.985 - 1
    near = np.array([width, height]) * 0.015
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ((one < near) & (other < near)).any() or ((one > far) & (other > far)).any():
            return True
    return False


def _confidence(field: np.ndarray, corners: np.ndarray, contour: np.ndarray) -> tuple[float, float]:
    """How well the outline fits its contour, and how clear the edge between swatch and table is, 0 to 1.

    A fit of 1 is good; a little more is the best of good ones.
    """
    mask = _filled(corners, field.shape)
    overlap = _overlap(corners, contour, field.shape)
    outside = mask.size - cv2.countNonZero(cv2.dilate(mask, np.ones((13, 13), np.uint8)))
    if cv2.countNonZero(mask) < 64 or outside < 0.02 * mask.size:
        return 0.0, 0.0
    ring = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((15, 15), np.uint8))
    bands = field.shape[2] if field.ndim == 3 else 1
    within, around = (cv2.meanStdDev(field, mask=part) for part in (ring & mask, ring & (1 - mask)))
    step = np.linalg.norm(within[0][:bands] - around[0][:bands])
    spread = within[1][:bands].mean() + around[1][:bands].mean() + 1
    clarity = np.clip(step / (2.5 * spread), 0, 1)
    return max((overlap - 0.8) / 0.16, 0.0), float(clarity)


def _overlap(corners: np.ndarray, contour: np.ndarray, shape: tuple[int, ...]) -> float:
    """Intersection over union of the quadrilateral and the contour's area."""
    mask = _filled(corners, shape)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
    either = cv2.countNonZero(cv2.bitwise_or(mask, filled))
    return cv2.countNonZero(cv2.bitwise_and(mask, filled)) / max(either, 1)


def _filled(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    return mask
