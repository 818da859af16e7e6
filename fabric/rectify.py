"""Finds the outline of a swatch that lies on a table, in light or half in shadow.

It is the largest convex quadrilateral that differs from its surroundings.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric.errors import FabricError
from fabric.light import linear_to_srgb, srgb_to_linear
from fabric.shadow import find_shadows
from fabric.shrink import shrink

MIN_CONFIDENCE = 0.55
_PREVIEW = 512
_TRIED = 2  # rough outlines of each kind that are looked at closely
_SURE = 1.05  # confidence with which no other shadow is tried
_PIECES, _PROFILES = 32, 8  # a side is divided into pieces; each is searched in the mean of its profiles
_EDGE_WEIGHTS = np.array([0.4, 1, 1], np.float32)  # of L, a, b: a shadow has an edge in lightness only


@dataclass(frozen=True)
class Outline:
    """corners: (4, 2) in pixels, clockwise from the top left. confidence: 0 to 1."""

    corners: np.ndarray
    confidence: float


def find_outline(photo: np.ndarray) -> Outline | None:
    """The swatch's outline in (H, W, 3) uint8 RGB, or None if the cloth fills the photo."""
    preview = _preview(photo)
    found = [_confident(photo, preview)]
    linear = srgb_to_linear(preview)
    for shadow in find_shadows(linear):
        lit = linear * np.exp(-shadow.darkness(*linear.shape[:2]))
        found.append(_confident(photo, linear_to_srgb(lit / max(1.0, float(lit.max()) * 0.9))))
        if found[-1] and found[-1].confidence >= _SURE:
            break
    outlines = [(_area(outline), outline) for outline in found if outline]
    if not outlines:
        return None
    # The shadow's other half has the rest of the swatch: a much smaller outline is a part of the larger.
    enough = 0.8 * max(area for area, _ in outlines)
    best = max((one for area, one in outlines if area >= enough), key=lambda outline: outline.confidence)
    corners = snapped(photo, best.corners, 0.01)
    return Outline(best.corners if corners is None else corners, min(1.0, best.confidence))


def _area(outline: Outline) -> float:
    return float(cv2.contourArea(outline.corners.astype(np.float32)))


def _confident(photo: np.ndarray, preview: np.ndarray) -> Outline | None:
    """The outline of which one can be sure; its corners are only as exact as the preview."""
    scale = np.array(photo.shape[1::-1]) / preview.shape[1::-1]
    lab = cv2.cvtColor(cv2.GaussianBlur(preview, (0, 0), 2.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    difference = _difference(lab)
    whitened = _whitened(lab)
    # By colour; or, if a pattern's mean colour is the table's, by how much the pattern varies around it; or
    # by what the table's own variation, as that of wood, does not explain.
    varied = cv2.GaussianBlur(difference, (0, 0), 6)
    unlike = np.minimum(cv2.sqrt(cv2.transform(whitened * whitened, np.ones((1, 3)))) * 6, 120)
    for ground, likeness in ((difference, lab), (varied, varied), (unlike, whitened * 6)):
        rough = []
        for mask in _masks(ground):
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            for contour in sorted(contours, key=cv2.contourArea)[-2:]:
                rough += [
                    (_overlap(corners, contour, mask.shape), corners, contour)
                    for corners in _quadrilaterals(contour, mask.shape)
                ]
        outlines = []
        for _, corners, contour in sorted(rough, key=lambda one: -one[0])[:_TRIED]:
            exact = snapped(photo, (corners + 0.5) * scale - 0.5, 0.035)
            if exact is not None:
                inside = (exact + 0.5) / scale - 0.5
                outlines.append(Outline(exact, _confidence(likeness, inside, contour)))
        best = max(outlines, key=lambda outline: outline.confidence, default=None)
        if best and best.confidence >= MIN_CONFIDENCE:
            return best
    return None


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


def _preview(photo: np.ndarray) -> np.ndarray:
    """The photo, shrunk so that its longer side has `_PREVIEW` pixels."""
    scale = _PREVIEW / max(photo.shape[:2])
    return shrink(photo, round(photo.shape[1] * scale), round(photo.shape[0] * scale))


def _difference(lab: np.ndarray) -> np.ndarray:
    """The distance of each pixel's colour from the median of the photo's border, (H, W) float32."""
    away = lab - np.median(_border(lab), axis=0)
    return cv2.sqrt(cv2.transform(away * away, np.ones((1, 3))))


def _whitened(lab: np.ndarray) -> np.ndarray:
    """The colours relative to those at the photo's border, whose deviation becomes 1 in each direction."""
    border = _border(lab)
    middle = np.median(border, axis=0)
    away = np.abs(border - middle).sum(axis=1)
    near = border[away <= np.percentile(away, 90)]
    values, vectors = np.linalg.eigh(np.cov((near - middle).T) + np.eye(3))
    turned: np.ndarray = cv2.transform(lab - middle, (vectors / np.sqrt(values)).T.astype(np.float32))
    return turned


def _border(lab: np.ndarray) -> np.ndarray:
    height, width = lab.shape[:2]
    rim = max(3, min(height, width) // 50)
    strips = lab[:rim], lab[-rim:], lab[:, :rim], lab[:, -rim:]
    return np.concatenate([strip.reshape(-1, 3) for strip in strips])


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
        return [corners, ordered(_fitted(contour.reshape(-1, 2), corners))]
    except FabricError:
        return []


def _fitted(contour: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """`corners`, moved to where lines along the contour's four sides cross: masks have rounded corners."""
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
        crossings = [_cross(lines[side - 1], lines[side]) for side in range(4)]
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


def snapped(photo: np.ndarray, corners: np.ndarray, reach: float) -> np.ndarray | None:
    """`corners` (4, 2), moved so that each side lies on the steepest change within `reach` × its length.

    None if the moved sides do not meet within the photo.
    """
    lines = [_side(photo, corners[i], corners[(i + 1) % 4], reach) for i in range(4)]
    points = [_cross(lines[i - 1], lines[i]) for i in range(4)]
    if any(point is None for point in points):
        return None
    result = np.array(points)
    size = np.array(photo.shape[1::-1])
    inside = (result > -0.02 * size).all() and (result < 1.02 * size).all()
    return result if inside else None


def _side(
    photo: np.ndarray, start: np.ndarray, end: np.ndarray, reach: float
) -> tuple[float, float, float, float]:
    """One side as a line (vx, vy, x, y), fitted (Huber) to the steepest change of colour across it.

    A threshold's contour includes the soft shadow beside a swatch; the steepest change does not.
    """
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    limit = max(6.0, reach * length)
    offsets = np.arange(-limit, limit + 0.25, 0.5)
    middles = start + np.linspace(0.06, 0.94, _PIECES * _PROFILES)[:, None] * (end - start)
    at = middles[:, None] + offsets[:, None] * across  # (pieces × profiles, offsets, 2)
    colours = cv2.remap(photo, at.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # The mean of a piece averages out the weave's threads, but not the edge, which is straight.
    mean = cv2.resize(colours, (len(offsets), _PIECES), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(mean.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * _EDGE_WEIGHTS
    lab = cv2.GaussianBlur(lab, (0, 0), sigmaX=2, sigmaY=0.01, borderType=cv2.BORDER_REPLICATE)
    profile = np.linalg.norm(np.gradient(lab, axis=1), axis=2)
    # The side is one line: weight each piece's peak by its distance from the mean profile's peak.
    common = offsets[profile.mean(axis=0).argmax()]
    near = np.exp(-(((offsets - common) / (0.35 * limit + 1)) ** 2))
    best = offsets[(profile * near).argmax(axis=1)]
    points = middles.reshape(_PIECES, _PROFILES, 2).mean(axis=1) + best[:, None] * across
    return tuple(cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().tolist())


def _cross(
    one: tuple[float, float, float, float], two: tuple[float, float, float, float]
) -> np.ndarray | None:
    """The intersection of two lines; None if they are nearly parallel."""
    matrix = np.array([[one[0], -two[0]], [one[1], -two[1]]])
    if abs(np.linalg.det(matrix)) < 0.2:
        return None
    step = np.linalg.solve(matrix, np.array([two[2] - one[2], two[3] - one[3]]))
    return np.array([one[2] + step[0] * one[0], one[3] + step[0] * one[1]])


def _confidence(field: np.ndarray, corners: np.ndarray, contour: np.ndarray) -> float:
    """How well the outline fits its contour, times how clear the edge between swatch and table is.

    1 is a good fit; a little more is the best of good ones.
    """
    mask = _filled(corners, field.shape)
    overlap = _overlap(corners, contour, field.shape)
    outside = mask.size - cv2.countNonZero(cv2.dilate(mask, np.ones((13, 13), np.uint8)))
    if cv2.countNonZero(mask) < 64 or outside < 0.02 * mask.size:
        return 0.0
    ring = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((15, 15), np.uint8)) == 1
    near_in, near_out = field[ring & (mask == 1)], field[ring & (mask == 0)]
    step = np.linalg.norm(near_in.mean(axis=0) - near_out.mean(axis=0))
    spread = near_out.std(axis=0).mean() + near_in.std(axis=0).mean() + 1
    clarity = np.clip(step / (2.5 * spread), 0, 1)
    return float(max((overlap - 0.8) / 0.16, 0) * clarity)


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
