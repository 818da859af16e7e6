"""A jacket on a posed person: skinned with the body, then draped."""

import numpy as np
from scipy.spatial import cKDTree

from training.photographs.body import SKIN, base_mesh, rig
from training.photographs.cuts import Cut
from training.photographs.drape import grid_pairs, grid_ropes, relax, springs
from training.photographs.jacket import Jacket
from training.photographs.meshes import smooth, vertex_normals
from training.photographs.parts import part_of_vertices, skin_parts
from training.photographs.posing import Skeleton


def _bone_weights(jacket: Jacket, rest: np.ndarray) -> np.ndarray:
    """(N, B) how much each of the jacket's vertices follows each bone."""
    skeleton, skin, parts = rig(), rest[SKIN], skin_parts()
    bones = part_of_vertices()
    dense = np.zeros((SKIN.stop, len(skeleton.names)), np.float32)
    np.put_along_axis(dense, skeleton.joints[SKIN], skeleton.weights[SKIN], 1)
    found = np.zeros((len(jacket.vertices), dense.shape[1]), np.float32)
    sides = np.where(skin[:, 0] > 0, "L", "R")
    allowed = {"body": np.isin(parts, [2, 3, 6])}
    near_shoulder = np.char.startswith(bones, "upperarm01") & (
        dense[:, [skeleton.index("upperarm01.L"), skeleton.index("upperarm01.R")]].max(axis=1) < 0.75
    )
    allowed["body"] |= near_shoulder
    for side in ("L", "R"):
        allowed[f"sleeve{side}"] = (sides == side) & (
            np.isin(parts, [4])
            | np.char.startswith(bones, "shoulder")
            | np.char.startswith(bones, "clavicle")
        )
    for name, place in jacket.slices.items():
        chosen = np.flatnonzero(allowed[name])
        distance, nearest = cKDTree(skin[chosen]).query(jacket.vertices[place], k=10)
        share = 1 / (distance + 0.01) ** 2
        share /= share.sum(axis=1, keepdims=True)
        found[place] = np.einsum("nk,nkb->nb", share, dense[chosen[nearest]])
    # Bones of the head would pull the collar along.
    neck = skeleton.index("neck01")
    for index, bone in enumerate(skeleton.names):
        if bone.startswith(("neck02", "neck03", "head", "jaw")):
            found[:, neck] += found[:, index]
            found[:, index] = 0
    return smooth(found, jacket.faces, 8)


def _armholes(jacket: Jacket) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that sew the sleeves' first rings to the body tube: sleeve vertices and body vertices."""
    body = jacket.slices["body"]
    tree = cKDTree(jacket.vertices[body])
    pairs = []
    for name in ("sleeveL", "sleeveR"):
        place = jacket.slices[name]
        piece = next(p for p in jacket.pieces if p.name == name)
        columns = piece.points.shape[1]
        first = np.arange(place.start, place.start + 7 * columns)
        _, nearest = tree.query(jacket.vertices[first], k=2)
        pairs.append(np.stack([np.repeat(first, 2), nearest.reshape(-1) + body.start], 1))
    joined = np.concatenate(pairs)
    return joined, np.full(len(joined), 0.9)


def _stump(rest: np.ndarray, skeleton: Skeleton, reach: float) -> np.ndarray:
    """The skin about the shoulder joints: what lies up to a share of the upper arm beyond them, and near
    them."""
    found = np.zeros(SKIN.stop, bool)
    for side in ("L", "R"):
        shoulder, elbow = skeleton.rest(f"upperarm01.{side}"), skeleton.rest(f"lowerarm01.{side}")
        along = (rest[SKIN] - shoulder) @ (elbow - shoulder) / ((elbow - shoulder) @ (elbow - shoulder))
        near = np.linalg.norm(rest[SKIN] - shoulder, axis=1) < 0.11 + 0.3 * reach
        found |= near & (along < max(reach, 0.05))
    return found


def dress(jacket: Jacket, cut: Cut, rest: np.ndarray, posed: np.ndarray, skeleton: Skeleton,
          rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """The jacket's vertices on the posed body: (N, 3)."""
    weights = _bone_weights(jacket, rest)
    rotations, offsets = skeleton.matrices()
    start = np.einsum("nb,bij,nj->ni", weights, rotations, jacket.vertices, optimize=True) + weights @ offsets
    pairs, lengths, stiff, ropes = [], [], [], []

    def add(chosen: np.ndarray, stiffness: np.ndarray, length: np.ndarray | None = None) -> None:
        pairs.append(chosen)
        stiff.append(stiffness)
        ropes.append(np.full(len(chosen), length is not None))
        own = np.linalg.norm(jacket.vertices[chosen[:, 1]] - jacket.vertices[chosen[:, 0]], axis=1)
        lengths.append(own if length is None else length)

    for piece in jacket.pieces:
        place = jacket.slices[piece.name]
        index = np.arange(place.start, place.stop).reshape(piece.points.shape[:2])
        if piece.closed:
            index[:, -1] = index[:, 0]
        near, far = grid_pairs(index)
        add(near, np.ones(len(near)))
        collar = np.zeros(len(jacket.vertices), bool)
        if piece.name == "body":
            collar[index[jacket.body_rows - 2 :]] = True
        bend = np.full(len(far), 0.04 + 0.35 * cut.stiffness**2)
        bend[collar[far].any(axis=1)] = 0.9
        add(far, bend)
        long, reach = grid_ropes(piece.points, index, (5, 11, 23))
        add(long, np.ones(len(long)), reach)
    sewn, sewn_stiffness = _armholes(jacket)
    add(sewn, sewn_stiffness)
    constraints = springs(
        len(jacket.vertices), *(np.concatenate(rows) for rows in (pairs, lengths, stiff, ropes))
    )  # fmt: skip
    held = np.full(len(start), 0.012)
    body = jacket.pieces[0]
    index = np.arange(jacket.slices["body"].start, jacket.slices["body"].stop).reshape(body.points.shape[:2])
    held[index[jacket.body_rows - 4 :]] = 0.6  # the neckline and the collar
    if cut.rib:
        held[index[:3]] = 0.15
    if cut.front != "open":  # buttoned
        low = 0 if cut.front == "closed" else int(0.2 * jacket.body_rows)
        high = jacket.body_rows if cut.front == "closed" else int(cut.button * jacket.body_rows) + 1
        held[index[low:high, [0, 1, -2, -1]]] = 0.35
    for piece in jacket.pieces[1:]:
        place = jacket.slices[piece.name]
        ring = np.arange(place.start, place.stop).reshape(piece.points.shape[:2])
        held[ring[:4]] = 0.4
        if cut.rib:
            held[ring[-3:]] = 0.5
        else:
            held[ring[-1:]] = 0.1
    skin = posed[SKIN]
    normals = vertex_normals(skin, base_mesh().faces[base_mesh().groups["body"]])
    parts = skin_parts()
    torso = np.flatnonzero(np.isin(parts, [2, 3, 6]) | _stump(rest, skeleton, 0.3))
    numbers = np.arange(len(start))
    meets = [(numbers[jacket.slices["body"]], torso, 0.011)]
    for side, sign in (("L", 1), ("R", -1)):
        arm = np.flatnonzero(
            (np.isin(parts, [4]) | (np.isin(parts, [3]) & _stump(rest, skeleton, 0.0)))
            & (rest[SKIN][:, 0] * sign > 0)
        )
        meets.append((numbers[jacket.slices[f"sleeve{side}"]], arm, 0.009))
    every = vertex_normals(start, jacket.faces)
    lumps = np.sin(jacket.vertices @ rng.normal(0, 32, (3, 10)) + rng.uniform(0, 6.28, 10)).mean(axis=1)
    start = start + (0.006 * lumps * (1 - held))[:, None] * every
    return relax(start, constraints, held, skin, normals, meets)


def soften(points: np.ndarray, jacket: Jacket) -> np.ndarray:
    """Take out the solver's smallest jitter."""
    return smooth(points, jacket.faces, 1)
