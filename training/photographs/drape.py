"""A small cloth solver: edges keep their lengths, folds resist, gravity pulls, the body pushes out.

Position based dynamics with Jacobi steps; the start is the jacket skinned to the pose, so that what the pose
squeezes or slackens becomes folds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Springs:
    """Pairs of vertices with rest lengths and stiffness (0 to 1). ropes: pairs that only resist being
    stretched."""

    incidence: csr_matrix
    lengths: np.ndarray
    stiffness: np.ndarray
    ropes: np.ndarray
    valence: np.ndarray


def springs(
    count: int, pairs: np.ndarray, lengths: np.ndarray, stiffness: np.ndarray, ropes: np.ndarray
) -> Springs:
    """count: of vertices."""
    rows = np.repeat(np.arange(len(pairs)), 2)
    signs = np.tile([-1.0, 1.0], len(pairs))
    incidence = coo_matrix((signs, (rows, pairs.reshape(-1))), (len(pairs), count)).tocsr()
    valence = np.maximum(np.asarray(abs(incidence).T @ np.where(ropes, 0.25 * stiffness, stiffness)), 1e-6)
    return Springs(incidence, lengths, stiffness, ropes, valence)


def grid_ropes(
    points: np.ndarray, index: np.ndarray, spans: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs along the columns of a grid, `spans` rows apart, and their lengths along the cloth."""
    along = np.concatenate([
        np.zeros((1, points.shape[1])), np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=2), axis=0)
    ])  # fmt: skip
    pairs = [np.stack([index[:-span].reshape(-1), index[span:].reshape(-1)], 1) for span in spans]
    return np.concatenate(pairs), np.concatenate(
        [(along[span:] - along[:-span]).reshape(-1) for span in spans]
    )


def grid_pairs(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges and diagonals of a grid of vertex numbers, and its pairs at distance two, which resist
    bending."""
    near = [
        (index[:, :-1], index[:, 1:]), (index[:-1], index[1:]),
        (index[:-1, :-1], index[1:, 1:]), (index[:-1, 1:], index[1:, :-1]),
    ]  # fmt: skip
    far = [(index[:, :-2], index[:, 2:]), (index[:-2], index[2:])]
    join = lambda pairs: np.concatenate([np.stack([a.reshape(-1), b.reshape(-1)], 1) for a, b in pairs])  # noqa: E731
    return join(near), join(far)


def relax(
    start: np.ndarray,
    constraints: Springs,
    held: np.ndarray,
    body: np.ndarray,
    normals: np.ndarray,
    parts: list[tuple[np.ndarray, np.ndarray, float]],
    steps: int = 40,
    iterations: int = 8,
    gravity: float = 0.0004,
) -> np.ndarray:
    """held: (N,) how strongly a vertex stays where it started, 0 to 1. body, normals: points of the skin.
    parts: which cloth vertices meet which body points, and the distance that they keep."""
    x, previous = start.copy(), start.copy()
    trees = [(cloth, cKDTree(body[skin]), skin, distance) for cloth, skin, distance in parts]
    keep = held[:, None]
    turn = (constraints.incidence.T).tocsr()
    for step in range(steps):
        velocity = (x - previous) * 0.86
        previous = x.copy()
        x = x + velocity
        x[:, 2] -= gravity
        x += keep * (start - x) * 0.5
        for _ in range(iterations):
            between = constraints.incidence @ x
            length = np.linalg.norm(between, axis=1) + 1e-9
            beyond = length - constraints.lengths
            beyond[constraints.ropes & (beyond < 0)] = 0
            push = (0.5 * constraints.stiffness * beyond / length)[:, None] * between
            x -= 1.6 * np.asarray(turn @ push) / constraints.valence[:, None]
        if step % 2 == 0 or step > steps - 4:
            for cloth, tree, skin, distance in trees:
                _, nearest = tree.query(x[cloth], workers=1)
                place = skin[nearest]
                depth = distance - np.einsum("ij,ij->i", x[cloth] - body[place], normals[place])
                inside = depth > 0
                move = np.minimum(depth[inside], 0.03)[:, None] * normals[place[inside]]
                chosen = cloth[inside]
                x[chosen] += move
                previous[chosen] += 0.9 * move
    return x
