"""A jacket's mesh on a body in its rest pose: a body tube that is open in front, two sleeves, and a collar.

Each piece is a grid whose points are found by rays from outside to the body, smoothed and moved out by the ease.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from scipy.ndimage import gaussian_filter, grey_closing, grey_dilation

from training.photographs.body import SKIN, base_mesh, rig
from training.photographs.cloths import ATLAS_METRES
from training.photographs.cuts import Cut
from training.photographs.posing import Skeleton

AROUND, UP, SLEEVE_AROUND, SLEEVE_ALONG = 100, 58, 36, 50
_COLLAR_ROWS = 9


@dataclass(frozen=True)
class Piece:
    """Points (rows, columns, 3), atlas coordinates (rows, columns, 2), the panel of each cell (rows − 1,
    columns − 1) and the bones that it may follow."""

    name: str
    points: np.ndarray
    uv: np.ndarray
    panels: np.ndarray
    closed: bool


@dataclass(frozen=True)
class Jacket:
    """pieces: grids; vertices (N, 3), faces (F, 4), uv (N, 2), panels (F,). slices: of each piece's vertices.
    body_rows: rows of the body tube below the collar; turned_row: from here on the collar is turned over, so
    that its back is outside."""

    pieces: tuple[Piece, ...]
    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    panels: np.ndarray
    slices: dict[str, slice]
    body_rows: int
    turned_row: int


@lru_cache
def part_of_vertices() -> np.ndarray:
    """The name of the strongest bone of each skin vertex."""
    skeleton = rig()
    return np.array(skeleton.names)[skeleton.joints[SKIN, 0]]


def _tree(vertices: np.ndarray, chosen: np.ndarray) -> BVHTree:
    faces = base_mesh().faces[base_mesh().groups["body"]]
    kept = faces[chosen[faces].all(axis=1)]
    return BVHTree.FromPolygons(vertices.tolist(), kept.tolist())


def _reach(tree: BVHTree, centre: np.ndarray, way: np.ndarray, far: float) -> float:
    """Distance from the centre to the outermost surface along a direction; NaN where there is none."""
    start = centre + far * way
    _, _, _, distance = tree.ray_cast(Vector(start), Vector(-way), far)
    return np.nan if distance is None else far - distance


def _fill(r: np.ndarray, wrap: bool) -> np.ndarray:
    """NaN → the mean of known neighbours, by spreading."""
    known = np.isfinite(r)
    value, weight = np.where(known, r, 0.0), known.astype(float)
    filled = r.copy()
    mode = ["nearest", "wrap" if wrap else "nearest"]
    for sigma in (1, 2, 4, 8, 16):
        top, low = gaussian_filter(value, sigma, mode=mode), gaussian_filter(weight, sigma, mode=mode)
        use = ~np.isfinite(filled) & (low > 1e-3)
        filled[use] = (top / np.maximum(low, 1e-9))[use]
    return np.nan_to_num(filled, nan=0.1)


def build_jacket(vertices: np.ndarray, skeleton: Skeleton, cut: Cut, rng: np.random.Generator) -> Jacket:
    """vertices: the body in its rest pose."""
    body, body_rows = _body_piece(vertices[SKIN], skeleton, cut, rng)
    pieces = [body, *(_sleeve(vertices[SKIN], skeleton, cut, side) for side in ("L", "R"))]
    points, faces, uv, panels, slices = [], [], [], [], {}
    start = 0
    for piece in pieces:
        rows, columns = piece.points.shape[:2]
        index = np.arange(rows * columns).reshape(rows, columns) + start
        if piece.closed:  # the last column repeats the first one's place, with another u
            index[:, -1] = index[:, 0]
        quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
        faces.append(quads.reshape(-1, 4))
        panels.append(piece.panels.reshape(-1))
        points.append(piece.points.reshape(-1, 3))
        uv.append(piece.uv.reshape(-1, 2))
        slices[piece.name] = slice(start, start + rows * columns)
        start += rows * columns
    return Jacket(
        tuple(pieces), np.concatenate(points), np.concatenate(faces), np.concatenate(uv), np.concatenate(panels),
        slices, body_rows, body_rows + 2 if cut.collar in ("fold", "lapel", "hood") else 10**6,
    )  # fmt: skip


def _body_piece(
    skin: np.ndarray, skeleton: Skeleton, cut: Cut, rng: np.random.Generator
) -> tuple[Piece, int]:
    bones = part_of_vertices()
    arm = np.char.startswith(bones, "upperarm") | np.char.startswith(bones, "lowerarm")
    hand = (
        np.char.startswith(bones, "wrist")
        | np.char.startswith(bones, "finger")
        | np.char.startswith(bones, "meta")
    )
    head = np.isin(bones, ["head", "neck02", "neck03", "jaw"]) | (
        skin[:, 2] > skeleton.rest("neck01")[2] + 0.06
    )
    stump = np.zeros(len(skin), bool)
    for side in ("L", "R"):
        shoulder, elbow = skeleton.rest(f"upperarm01.{side}"), skeleton.rest(f"lowerarm01.{side}")
        line = (elbow - shoulder) / np.linalg.norm(elbow - shoulder) ** 2
        along = (skin - shoulder) @ line
        stump |= arm & (along < 0.12) & (np.sign(skin[:, 0]) == np.sign(shoulder[0]))
    tree = _tree(skin, ~((arm & ~stump) | hand | head))
    neck = skeleton.rest("neck01")
    shoulder_z = float(skeleton.rest("upperarm01.L")[2])
    crotch = float(skeleton.rest("upperleg01.L")[2]) - 0.06
    chest = shoulder_z - 0.10
    hem = crotch - cut.hem
    low_rows = int(UP * 0.66)
    angles = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)  # 0 in front, to the left side first
    flat = np.stack([np.sin(angles), -np.cos(angles), np.zeros(AROUND)], 1)
    middle_y = float(skeleton.rest("spine02")[1]) - 0.03
    levels = np.linspace(hem, chest, low_rows)
    lower = np.array([
        [_reach(tree, np.array([0, middle_y, z]), way, 0.8) for way in flat] for z in levels
    ])  # fmt: skip
    lower = _fill(lower, wrap=True)
    neck_radius = 0.064 + 0.4 * cut.ease
    ends = neck[None] + flat * (neck_radius * np.array([1.0, 1.05, 1])) + np.array([0, 0.004, 0.012])
    ends[:, 2] += 0.022 * -np.cos(angles)  # the neckline is lower in front
    centre = np.array([0, middle_y, chest])
    upper_rows = UP - low_rows
    upper = np.empty((upper_rows, AROUND))
    ways = np.empty((upper_rows, AROUND, 3))
    for column in range(AROUND):
        to_end = ends[column] - centre
        last = np.arctan2(to_end[2], to_end @ flat[column])
        azimuth = flat[column] * (to_end @ flat[column])
        side = to_end - azimuth - np.array([0, 0, to_end[2]])
        for row in range(upper_rows):
            share = (row + 1) / upper_rows
            elevation = share * last
            way = np.cos(elevation) * flat[column] + np.sin(elevation) * np.array([0, 0, 1.0])
            way = way + share * side / np.linalg.norm(to_end)
            way /= np.linalg.norm(way)
            ways[row, column] = way
            upper[row, column] = _reach(tree, centre, way, 0.7)
    upper = _fill(upper, wrap=True)
    upper[-1] = np.linalg.norm(ends - centre, axis=1)
    r = np.concatenate([lower, upper])
    # Cloth bridges hollows: between the breasts, under the chest, between the legs.
    wide = np.concatenate([r, r, r], axis=1)
    wide[:low_rows] = grey_closing(wide[:low_rows], size=(13, 15))
    wide = grey_dilation(wide, size=(1, 3))
    r = gaussian_filter(wide, (1.6, 2.2), mode="nearest")[:, AROUND : 2 * AROUND]
    r[-1] = 0.5 * r[-1] + 0.5 * np.linalg.norm(ends - centre, axis=1)
    height = np.concatenate([levels, np.full(upper_rows, chest)])
    ease = np.full((UP, 1), cut.ease)
    below = np.clip((chest - 0.18 - height[:low_rows]) / 0.4, 0, 1)
    ease[:low_rows, 0] += cut.flare * below
    fade = np.linspace(1, 0.35, upper_rows) ** 0.7
    ease[low_rows:, 0] *= fade
    rib_rows = 0
    if cut.rib:
        rib_rows = max(2, int(round(cut.rib / (levels[1] - levels[0]))))
        ease[:rib_rows, 0] = 0.008
        ease[rib_rows : rib_rows + 5, 0] += np.array([0.002, 0.006, 0.006, 0.004, 0.002])
    # A straight jacket hangs from the chest: below its widest level it does not follow a narrow waist.
    r = r + ease
    waisted = 0.45 if cut.kind in ("blazer", "coat") else 0.8
    widest = np.maximum.accumulate(r[:low_rows][::-1], axis=0)[::-1]
    if not cut.rib:
        r[:low_rows] += waisted * 0.6 * (widest - r[:low_rows]) * np.linspace(1, 0, low_rows)[:, None] ** 0.5
    points = np.empty((UP, AROUND, 3))
    points[:low_rows] = (
        np.array([0, middle_y, 0])
        + levels[:, None, None] * np.array([0, 0, 1.0])
        + (r[:low_rows, :, None] * flat[None])
    )
    points[low_rows:] = centre + r[low_rows:, :, None] * ways
    points = _open_front(points, cut, low_rows)
    rows, is_rib = _with_collar(points, neck, cut)
    panels = np.ones((len(rows) - 1, rows.shape[1] - 1), np.uint8)
    if cut.rib:
        panels[:rib_rows] = 4
    panels[UP - 1 :] = 6 if cut.collar == "hood" else (4 if is_rib else 3)
    return Piece("body", rows, _body_uv(rows), panels, closed=False), UP


def _open_front(points: np.ndarray, cut: Cut, low_rows: int) -> np.ndarray:
    """Cut the closed tube in front, and move its edges: (rows, AROUND + 1, 3), from the left edge over the back
    to the right edge."""
    rows = len(points)
    step = np.linalg.norm(np.diff(points, axis=1), axis=2)
    girth = step.sum(axis=1)
    share = np.linspace(0, 1, rows)
    if cut.front == "closed":
        gap = np.full(rows, -0.018)
    elif cut.front == "open":
        gap = cut.gap * (0.75 + 0.5 * (1 - share))
        gap[low_rows:] *= np.linspace(1, 0.8, rows - low_rows)
    else:
        rise = np.clip((share - cut.button) / (0.97 - cut.button), 0, 1)
        gap = -0.02 + (0.02 + cut.gap * 1.15) * rise**0.9
        gap += 0.05 * np.clip((cut.button * 0.6 - share) / 0.5, 0, 1) ** 1.5
        gap[low_rows:] = np.minimum(
            gap[low_rows:], np.linspace(gap[low_rows], cut.gap * 0.9, rows - low_rows)
        )
    found = np.empty((rows, AROUND + 1, 3))
    for row in range(rows):
        ring = np.concatenate([points[row], points[row][:1]])
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
        total, g = length[-1], float(gap[row])
        wanted = np.linspace(g, total - g, AROUND + 1) % total
        for axis in range(3):
            found[row, :, axis] = np.interp(wanted, length, ring[:, axis])
        if g < 0:  # overlapping edges: the left one lies on top
            over = np.clip(1 - np.arange(AROUND + 1) / 4, 0, 1)
            outward = found[row, :, :] - found[row].mean(axis=0)
            outward[:, 2] = 0
            outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9
            found[row] += 0.007 * over[:, None] * outward - 0.003 * over[::-1, None] * outward
    del girth
    return found


def _with_collar(points: np.ndarray, neck: np.ndarray, cut: Cut) -> tuple[np.ndarray, bool]:
    """Add rows for the collar above the neckline."""
    ring = points[-1]
    outward = ring - neck
    outward[:, 2] = 0
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    up = np.array([0, 0, 1.0])
    columns = len(ring)
    position = np.abs(np.linspace(-1, 1, columns))  # 1 at both front edges, 0 at the back
    extra = []
    if cut.collar == "stand":
        for step in range(1, _COLLAR_ROWS + 1):
            share = step / _COLLAR_ROWS
            height = cut.collar_height * share * (1 - 0.3 * position**6)
            extra.append(ring + up * height[:, None] - outward * (0.008 * share) * (1 - share) * 4)
        return np.concatenate([points, np.array(extra)]), cut.rib > 0
    if cut.collar == "none":
        return np.concatenate([points, [ring + up * 0.004]]), False
    stand = cut.collar_height * (1 - 0.75 * position**3)
    rising = 3
    for step in range(1, rising + 1):
        share = step / rising
        extra.append(ring + up * (stand * share)[:, None] + outward * (0.004 * share))
    top = extra[-1]
    if cut.collar == "hood":
        fall = cut.fall * (1 - position**2) + 0.04
        out = 0.03 + 0.05 * (1 - position**2)
    else:
        fall = cut.fall * (0.85 + 0.35 * position**4)
        out = np.full(columns, 0.011) + 0.4 * stand * 0
    for step in range(1, _COLLAR_ROWS - rising + 1):
        share = step / (_COLLAR_ROWS - rising)
        arc = np.sin(min(1.0, share * 2.5) * np.pi / 2)
        down = np.maximum(0, share - 0.12) * fall
        # The shoulders slope: what falls also moves out.
        slope = (0.75 + 0.25 * np.abs(outward[:, 0]))[:, None] * outward
        extra.append(
            top + outward * (out * arc)[:, None] - up * (down * 0.8)[:, None] + slope * (0.62 * down)[:, None]
        )
    return np.concatenate([points, np.array(extra)]), False


def _body_uv(rows: np.ndarray) -> np.ndarray:
    """Metres along the cloth, from the middle of the back and from the hem; ATLAS_METRES for 1."""
    across = np.linalg.norm(np.diff(rows, axis=1), axis=2).mean(axis=0)
    girth = np.concatenate([[0], np.cumsum(across)])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(rows, axis=0), axis=2).mean(axis=1))])
    uv = np.empty((*rows.shape[:2], 2))
    uv[..., 0] = (girth - girth[-1] / 2)[None] / ATLAS_METRES + 0.5
    uv[..., 1] = along[:, None] / ATLAS_METRES + 0.02
    return uv


def _sleeve(skin: np.ndarray, skeleton: Skeleton, cut: Cut, side: str) -> Piece:
    skeleton_rig = rig()
    arm_bones = [
        i
        for i, n in enumerate(skeleton_rig.names)
        if n.endswith(side) and n.startswith(("upperarm", "lowerarm", "wrist", "shoulder01"))
    ]
    share = np.where(np.isin(skeleton_rig.joints[SKIN], arm_bones), skeleton_rig.weights[SKIN], 0).sum(axis=1)
    tree = _tree(skin, share > 0.35)
    shoulder, elbow, wrist = (skeleton.rest(f"{n}.{side}") for n in ("upperarm01", "lowerarm01", "wrist"))
    inward = (shoulder - elbow) / np.linalg.norm(shoulder - elbow)
    end = wrist + (wrist - elbow) / np.linalg.norm(wrist - elbow) * cut.cuff
    nodes = np.array([shoulder + 0.04 * inward, shoulder, elbow, end])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))])
    s = np.linspace(0, length[-1], SLEEVE_ALONG)
    centres = np.stack([np.interp(s, length, nodes[:, axis]) for axis in range(3)], 1)
    centres = gaussian_filter(centres, (3.0, 0), mode="nearest")
    centres[0], centres[-1] = nodes[0], nodes[-1]
    tangents = np.gradient(centres, axis=0)
    tangents = gaussian_filter(tangents, (2.0, 0), mode="nearest")
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    back = np.array([0, 1.0, 0.0])
    angles = np.linspace(0, 2 * np.pi, SLEEVE_AROUND, endpoint=False)
    ways = np.empty((SLEEVE_ALONG, SLEEVE_AROUND, 3))
    for row, tangent in enumerate(tangents):
        first = np.cross(tangent, back)
        first /= np.linalg.norm(first)
        second = np.cross(tangent, first)
        if side == "R":
            first = -first
        ways[row] = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    r = np.array([[_reach(tree, c, way, 0.22) for way in row] for c, row in zip(centres, ways, strict=True)])
    r[r < 0.015] = np.nan
    r = _fill(r, wrap=True)
    limit = np.interp(s, [0, length[1], length[1] + 0.12, length[-1]], [0.085, 0.085, 0.075, 0.06])[:, None]
    r = np.minimum(r, limit + 0.02)
    wide = np.concatenate([r, r, r], axis=1)
    r = gaussian_filter(wide, (1.8, 1.8), mode="nearest")[:, SLEEVE_AROUND : 2 * SLEEVE_AROUND]
    # Towards the cuff a sleeve is a cone, whatever the wrist does.
    mean = np.maximum(r, np.linspace(0, 0.036, SLEEVE_ALONG)[:, None])
    r = (
        mean
        + cut.sleeve_ease
        * np.interp(s, [0, length[1] + 0.05, length[2], length[-1]], [0.15, 1.0, 1.1, 0.9])[:, None]
    )
    panels = np.full((SLEEVE_ALONG - 1, SLEEVE_AROUND), 2, np.uint8)
    if cut.rib:
        rib_rows = max(2, int(round(cut.rib / (s[1] - s[0]))))
        r[-rib_rows:] = mean[-rib_rows:] * 0.9 + 0.006
        r[-rib_rows - 4 : -rib_rows] += 0.003
        panels[-rib_rows:] = 4
    points = centres[:, None] + r[..., None] * ways
    points = np.concatenate([points, points[:, :1]], axis=1)
    uv = np.empty((*points.shape[:2], 2))
    around = np.linalg.norm(np.diff(points, axis=1), axis=2).mean(axis=0)
    offset = 0.03 if side == "L" else 0.53
    uv[..., 0] = offset + np.concatenate([[0], np.cumsum(around)])[None] / ATLAS_METRES
    uv[..., 1] = 0.62 + s[:, None] / ATLAS_METRES
    return Piece(f"sleeve{side}", points, uv, panels, closed=True)
