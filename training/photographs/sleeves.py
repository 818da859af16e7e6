"""The sleeves of a jacket: tubes about the arms."""

import numpy as np
from scipy.ndimage import gaussian_filter

from training.photographs.body import SKIN, rig
from training.photographs.cloths import ATLAS_METRES
from training.photographs.cuts import Cut
from training.photographs.pieces import Piece
from training.photographs.posing import Skeleton
from training.photographs.rays import body_tree, fill_gaps, reach

SLEEVE_AROUND, SLEEVE_ALONG = 36, 50


def sleeve_piece(skin: np.ndarray, skeleton: Skeleton, cut: Cut, side: str) -> Piece:
    skeleton_rig = rig()
    arm_bones = [
        i
        for i, n in enumerate(skeleton_rig.names)
        if n.endswith(side) and n.startswith(("upperarm", "lowerarm", "wrist", "shoulder01"))
    ]
    share = np.where(np.isin(skeleton_rig.joints[SKIN], arm_bones), skeleton_rig.weights[SKIN], 0).sum(axis=1)
    tree = body_tree(skin, share > 0.35)
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
    r = np.array([[reach(tree, c, way, 0.22) for way in row] for c, row in zip(centres, ways, strict=True)])
    r[r < 0.015] = np.nan
    r = fill_gaps(r, wrap=True)
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
        rib_rows = max(2, round(cut.rib / (s[1] - s[0])))
        r[-rib_rows:] = mean[-rib_rows:] * 0.9 + 0.006
        r[-rib_rows - 4 : -rib_rows] += 0.003
        panels[-rib_rows:] = 4
    points = centres[:, None] + r[..., None] * ways
    points = np.concatenate([points, points[:, :1]], axis=1)
    uv = np.empty((*points.shape[:2], 2))
    around = np.linalg.norm(np.diff(points, axis=1), axis=2).mean(axis=0)
    offset = 0.03 if side == "L" else 0.53
    uv[..., 0] = offset + np.concatenate([[0], np.cumsum(around)])[None] / ATLAS_METRES
    uv[..., 1] = 0.70 + s[:, None] / ATLAS_METRES
    return Piece(f"sleeve{side}", points, uv, panels, closed=True)
