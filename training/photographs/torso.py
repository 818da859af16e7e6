"""The body tube of a jacket: open in front, with its collar."""

import numpy as np
from scipy.ndimage import gaussian_filter, grey_closing, grey_dilation

from training.photographs.cloths import ATLAS_METRES
from training.photographs.cuts import Cut
from training.photographs.parts import part_of_vertices
from training.photographs.pieces import Piece
from training.photographs.posing import Skeleton
from training.photographs.rays import body_tree, fill_gaps, reach

AROUND, UP = 100, 58
_COLLAR_ROWS = 9


def torso_piece(
    skin: np.ndarray,
    skeleton: Skeleton,
    cut: Cut,
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
    tree = body_tree(skin, ~((arm & ~stump) | hand | head))
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
        [reach(tree, np.array([0, middle_y, z]), way, 0.8) for way in flat] for z in levels
    ])  # fmt: skip
    lower = fill_gaps(lower, wrap=True)
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
            upper[row, column] = reach(tree, centre, way, 0.7)
    upper = fill_gaps(upper, wrap=True)
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
        rib_rows = max(2, round(cut.rib / (levels[1] - levels[0])))
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
    """Cut the closed tube in front, and move its edges: (rows, AROUND + 1, 3), from the left edge over the
    back to the right edge."""
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
