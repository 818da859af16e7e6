"""Rectifies a swatch that lies on a table: from a photo at an angle to a view from above.

The swatch's outline is the largest convex quadrilateral that differs from its surroundings. Its four
corners define the homography (Hartley & Zisserman, "Multiple View Geometry", §4.1).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric.errors import FabricError
from fabric.shrink import shrink

MIN_CONFIDENCE = 0.55
_PREVIEW = 512
_PIECES, _PROFILES = 32, 8  # a side is divided into pieces; each is searched in the mean of its profiles
_EDGE_WEIGHTS = np.array([0.4, 1, 1], np.float32)  # of L, a, b: a shadow has an edge in lightness only
_INSET = 0.012  # of the side, cropped inside the outline: the hem and its shadow are not usable cloth


@dataclass(frozen=True)
class Outline:
    """corners: (4, 2) in pixels, clockwise from the top left. confidence: 0 to 1."""

    corners: np.ndarray
    confidence: float


def find_outline(photo: np.ndarray) -> Outline | None:
    """The swatch's outline in (H, W, 3) uint8 RGB, or None if the cloth fills the photo."""
    preview = _preview(photo)
    scale = np.array(photo.shape[1::-1]) / preview.shape[1::-1]
    lab = cv2.cvtColor(cv2.GaussianBlur(preview, (0, 0), 2.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    difference = _difference(lab)
    # By colour; or, if a pattern's mean colour is the table's, by how much the pattern varies around it.
    varied = cv2.GaussianBlur(difference, (0, 0), 6)
    for ground, likeness in ((difference, lab), (varied, varied)):
        outlines = []
        for mask in _masks(ground):
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            for contour in sorted(contours, key=cv2.contourArea)[-2:]:
                rough = _quadrilateral(contour, mask.shape)
                corners = None if rough is None else _snapped(photo, (rough + 0.5) * scale - 0.5, 0.035)
                if corners is not None:
                    inside = (corners + 0.5) / scale - 0.5
                    outlines.append(Outline(corners, _confidence(likeness, inside, contour)))
        best = max(outlines, key=lambda outline: outline.confidence, default=None)
        if best and best.confidence >= MIN_CONFIDENCE:
            corners = _snapped(photo, best.corners, 0.01)
            return best if corners is None else Outline(corners, best.confidence)
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


def side_length(corners: np.ndarray) -> tuple[float, float]:
    """Width and height in pixels of the quadrilateral (4, 2) seen from above: those of its longer sides."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float(max(sides[0], sides[2])), float(max(sides[1], sides[3]))


def straighten(photo: np.ndarray, corners: np.ndarray, longest: int) -> np.ndarray:
    """The area within `corners` as a rectangle whose longer side has at most `longest` pixels."""
    width, height = side_length(corners)
    scale = min(1.0, longest / max(width, height))
    width, height = round(width * scale), round(height * scale)
    inset = np.array([width, height]) * _INSET
    low, high = -inset, np.array([width, height]) + inset
    target = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    if scale < 1:
        photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale)
    return cv2.warpPerspective(photo, matrix, (width, height), flags=cv2.INTER_CUBIC)


def _preview(photo: np.ndarray) -> np.ndarray:
    """The photo, shrunk so that its longer side has `_PREVIEW` pixels."""
    scale = _PREVIEW / max(photo.shape[:2])
    return shrink(photo, round(photo.shape[1] * scale), round(photo.shape[0] * scale))


def _difference(lab: np.ndarray) -> np.ndarray:
    """The distance of each pixel's colour from the median of the photo's border, (H, W) float32."""
    height, width = lab.shape[:2]
    rim = max(3, min(height, width) // 50)
    border = np.concatenate(
        [
            lab[:rim].reshape(-1, 3),
            lab[-rim:].reshape(-1, 3),
            lab[:, :rim].reshape(-1, 3),
            lab[:, -rim:].reshape(-1, 3),
        ]
    )
    away = lab - np.median(border, axis=0)
    return cv2.sqrt(cv2.transform(away * away, np.ones((1, 3))))


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


def _quadrilateral(contour: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The contour's four corners (4, 2); None if it is no quadrilateral or runs along the photo's border."""
    height, width = shape
    area = cv2.contourArea(contour)
    if not 0.08 * width * height < area < 0.97 * width * height:
        return None
    hull = cv2.convexHull(contour)
    for tolerance in (0.01, 0.02, 0.03, 0.05):
        polygon = cv2.approxPolyDP(hull, tolerance * cv2.arcLength(hull, True), True)
        if len(polygon) == 4:
            break
    else:
        return None
    try:
        corners = ordered(polygon.reshape(4, 2).astype(np.float64))
    except FabricError:
        return None
    return None if _on_border(corners, width, height) else corners


def _on_border(corners: np.ndarray, width: int, height: int) -> bool:
    """Whether a side runs along the photo's own border: then it is a shadow's edge and no outline."""
    far = np.array([width, height]) * 0.985 - 1
    near = np.array([width, height]) * 0.015
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ((one < near) & (other < near)).any() or ((one > far) & (other > far)).any():
            return True
    return False


def _snapped(photo: np.ndarray, corners: np.ndarray, reach: float) -> np.ndarray | None:
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
    """0 to 1: how well the outline fits its contour, times how clear the edge between swatch and table is."""
    mask = np.zeros(field.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
    overlap = (mask & filled).sum() / max((mask | filled).sum(), 1)
    inner, outer = mask == 1, cv2.dilate(mask, np.ones((13, 13), np.uint8)) == 0
    if inner.sum() < 64 or outer.sum() < 0.02 * outer.size:
        return 0.0
    ring = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((15, 15), np.uint8)) == 1
    near_in, near_out = field[ring & (mask == 1)], field[ring & (mask == 0)]
    step = np.linalg.norm(near_in.mean(axis=0) - near_out.mean(axis=0))
    spread = near_out.std(axis=0).mean() + near_in.std(axis=0).mean() + 1
    clarity = np.clip(step / (2.5 * spread), 0, 1)
    return float(np.clip((overlap - 0.8) / 0.16, 0, 1) * clarity)
