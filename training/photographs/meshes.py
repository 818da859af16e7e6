"""Meshes of quads: what the renderer draws, their normals, and their smoothing."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, diags


@dataclass(frozen=True)
class Mesh:
    """What the renderer draws. faces: (F, 4). colours: (N, 3) linear RGB. parts: (F,) index into PARTS.
    uv: (F, 4, 2) and panels: (F,) of a jacket."""

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    parts: np.ndarray
    roughness: float
    specular: float
    subdivide: int = 1
    uv: np.ndarray | None = None
    panels: np.ndarray | None = None
    grain: float = 0.0


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    across = np.cross(
        vertices[faces[:, 2]] - vertices[faces[:, 0]], vertices[faces[:, 3]] - vertices[faces[:, 1]]
    )
    normals = np.zeros_like(vertices)
    for corner in range(4):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, corner], across[:, axis], minlength=len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def smooth(values: np.ndarray, faces: np.ndarray, times: int) -> np.ndarray:
    """Move each vertex to the mean of itself and its neighbours."""
    pairs = np.concatenate([faces[:, [a, (a + 1) % 4]] for a in range(4)])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    n = len(values)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (n, n)).tocsr()
    graph.data[:] = 1
    degree = np.asarray(graph.sum(axis=1)).ravel()
    mean = diags(1 / np.maximum(degree, 1)) @ graph
    alone = (degree == 0)[:, None]
    for _ in range(times):
        values = np.where(alone, values, 0.5 * values + 0.5 * (mean @ values))
    return values


def polygons(faces: np.ndarray) -> list[list[int]]:
    """Quads, and triangles where a corner is repeated."""
    return [list(dict.fromkeys(face)) for face in faces.tolist()]
