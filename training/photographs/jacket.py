"""A jacket's mesh on a body in its rest pose: a body tube that is open in front, two sleeves, and a collar.

Each piece is a grid whose points are found by rays from outside to the body, smoothed and moved out by the
ease.
"""

from dataclasses import dataclass

import numpy as np

from training.photographs.body import SKIN
from training.photographs.cuts import Cut
from training.photographs.meshes import Mesh
from training.photographs.pieces import Piece
from training.photographs.posing import Skeleton
from training.photographs.sleeves import sleeve_piece
from training.photographs.torso import torso_piece


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


def build_jacket(vertices: np.ndarray, skeleton: Skeleton, cut: Cut, rng: np.random.Generator) -> Jacket:
    """vertices: the body in its rest pose."""
    body, body_rows = torso_piece(vertices[SKIN], skeleton, cut)
    pieces = [body, *(sleeve_piece(vertices[SKIN], skeleton, cut, side) for side in ("L", "R"))]
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
    turned = body_rows + 2 if cut.collar in ("fold", "lapel", "hood") else 10**6
    return Jacket(
        tuple(pieces), np.concatenate(points), np.concatenate(faces), np.concatenate(uv),
        np.concatenate(panels), slices, body_rows, turned,
    )  # fmt: skip


def jacket_mesh(jacket: Jacket, vertices: np.ndarray) -> Mesh:
    # A sleeve's last column lies on its first one, with another u.
    corners, start = [], 0
    for piece in jacket.pieces:
        rows, columns = piece.points.shape[:2]
        index = np.arange(rows * columns).reshape(rows, columns) + start
        quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
        corners.append(quads.reshape(-1, 4))
        start += rows * columns
    uv = jacket.uv[np.concatenate(corners)]
    faces = jacket.faces.copy()
    for piece in jacket.pieces[1:]:
        place = jacket.slices[piece.name]
        own = (faces >= place.start).all(axis=1) & (faces < place.stop).all(axis=1)
        centre = vertices[place].reshape(*piece.points.shape)[:, :-1].mean(axis=1)
        rows = (faces[own][:, 0] - place.start) // piece.points.shape[1]
        a, b, c = (vertices[faces[own][:, i]] for i in (0, 1, 3))
        outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a - centre[rows])
        if np.median(outward) < 0:
            faces[own] = faces[own][:, ::-1]
            uv[own] = uv[own][:, ::-1]
    # The part of the collar that is turned over shows its back: a surface of its own, seen from there.
    columns = jacket.pieces[0].points.shape[1]
    own = np.arange(len(faces)) < (jacket.pieces[0].points.shape[0] - 1) * (columns - 1)
    turned = own & (np.arange(len(faces)) // (columns - 1) >= jacket.turned_row)
    if turned.any():
        copied = np.unique(faces[turned])
        number = np.arange(len(vertices))
        number[copied] = len(vertices) + np.arange(len(copied))
        faces[turned] = number[faces[turned]][:, ::-1]
        uv[turned] = uv[turned][:, ::-1]
        vertices = np.concatenate([vertices, vertices[copied]])
    return Mesh(
        "jacket", vertices, faces, np.ones((len(vertices), 3)), np.full(len(faces), 10, np.uint8), 0.9, 0.2,
        1, uv, jacket.panels,
    )  # fmt: skip
