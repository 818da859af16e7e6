"""Shirt and trousers: the skin's own surface, a little further out and smoother."""

import numpy as np

from training.photographs.body import SKIN
from training.photographs.looks import Looks
from training.photographs.meshes import Mesh, smooth, vertex_normals
from training.photographs.parts import body_faces, skin_parts
from training.photographs.posing import Skeleton


def _offset_mesh(
    name: str, posed: np.ndarray, kept: np.ndarray, distance: float, colour: np.ndarray, part: int
) -> Mesh:
    every = body_faces(np.ones(SKIN.stop, bool))
    faces = every[kept[every].all(axis=1)]
    normals = smooth(vertex_normals(posed[SKIN], every), faces, 4)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    moved = posed[SKIN] + distance * normals
    softened = smooth(moved, faces, 8)
    # Smoothing shrinks: keep outside the skin.
    inside = np.einsum("ij,ij->i", softened - posed[SKIN], normals)
    softened += np.maximum(0.7 * distance - inside, 0)[:, None] * normals
    used = np.unique(faces)
    number = np.full(SKIN.stop, -1)
    number[used] = np.arange(len(used))
    return Mesh(
        name, softened[used], number[faces], np.tile(colour, (len(used), 1)), np.full(len(faces), part,
        np.uint8), 0.85, 0.2, grain=0.15,
    )  # fmt: skip


def shirt_mesh(rest: np.ndarray, posed: np.ndarray, skeleton: Skeleton, looks: Looks) -> Mesh:
    skin, parts = rest[SKIN], skin_parts()
    neck = skeleton.rest("neck01")
    crotch = skeleton.rest("upperleg01.L")[2] - 0.04
    # The neckline is lower in front, and a V if the looks say so.
    line = neck[2] + 0.012 + 0.5 * (skin[:, 1] - neck[1])
    line -= looks.neckline * np.maximum(1 - np.abs(skin[:, 0]) / 0.085, 0) * (skin[:, 1] < neck[1])
    kept = (skin[:, 2] < line) & (skin[:, 2] > crotch) & ~np.isin(parts, [1, 5])
    for side, sign in (("L", 1), ("R", -1)):
        shoulder, elbow, wrist = (skeleton.rest(f"{n}.{side}") for n in ("upperarm01", "lowerarm01", "wrist"))
        on_arm = (parts == 4) & (np.sign(skin[:, 0]) == sign)
        along = (skin - shoulder) @ (elbow - shoulder) / ((elbow - shoulder) @ (elbow - shoulder))
        beyond = (skin - elbow) @ (wrist - elbow) / ((wrist - elbow) @ (wrist - elbow))
        place = np.where(along < 1, along, 1 + np.maximum(beyond, 0))
        kept &= ~(on_arm & (place > looks.shirt_sleeve))
    return _offset_mesh("shirt", posed, kept, 0.006, looks.shirt, 8)


def trouser_mesh(rest: np.ndarray, posed: np.ndarray, skeleton: Skeleton, looks: Looks) -> Mesh:
    skin, parts = rest[SKIN], skin_parts()
    top = skeleton.rest("upperleg01.L")[2] + 0.05
    kept = (skin[:, 2] < top) & ~np.isin(parts, [1, 4, 5])
    return _offset_mesh("trousers", posed, kept, 0.005, looks.trousers, 9)
