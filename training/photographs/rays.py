"""A body as seen from outside: how far it reaches in a direction."""

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from scipy.ndimage import gaussian_filter

from training.photographs.body import base_mesh


def body_tree(vertices: np.ndarray, chosen: np.ndarray) -> BVHTree:
    faces = base_mesh().faces[base_mesh().groups["body"]]
    kept = faces[chosen[faces].all(axis=1)]
    return BVHTree.FromPolygons(vertices.tolist(), kept.tolist())


def reach(tree: BVHTree, centre: np.ndarray, way: np.ndarray, far: float) -> float:
    """Distance from the centre to the outermost surface along a direction; NaN where there is none."""
    start = centre + far * way
    _, _, _, distance = tree.ray_cast(Vector(start), Vector(-way), far)
    return np.nan if distance is None else far - distance


def fill_gaps(r: np.ndarray, wrap: bool) -> np.ndarray:
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
