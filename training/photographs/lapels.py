"""Lapels: the front edges of a draped jacket, turned over."""

import numpy as np

from training.photographs.cuts import Cut
from training.photographs.jacket import Jacket
from training.photographs.meshes import Mesh

_ACROSS = 6
# Their strip of the atlas, between the body's and the sleeves'.
_ATLAS_ROW, _ATLAS_END = 0.50, 0.69


def _grid(jacket: Jacket) -> np.ndarray:
    place = jacket.slices["body"]
    return np.arange(place.start, place.stop).reshape(jacket.pieces[0].points.shape[:2])


def lapel_uv(jacket: Jacket, cut: Cut) -> list[np.ndarray]:
    """Atlas coordinates (rows, across, 2) of the left and the right lapel; empty where the cut has none."""
    if not cut.lapel:
        return []
    found = []
    for columns in _columns(jacket, cut):
        uv = _along(jacket.uv[_grid(jacket)], columns, jacket.body_rows, cut)
        uv[..., 1] = np.minimum(_ATLAS_ROW + uv[..., 1] - uv[0, 0, 1], _ATLAS_END)
        found.append(uv)
    return found


def _first_row(jacket: Jacket, cut: Cut) -> int:
    return int(cut.button * jacket.body_rows)


def _columns(jacket: Jacket, cut: Cut) -> list[np.ndarray]:
    """Where the lapels' points lie, in columns of the body's grid: (rows, across), left and right."""
    body = jacket.pieces[0].points
    last = jacket.body_rows - 4
    rows = np.arange(_first_row(jacket, cut), last)
    spacing = np.linalg.norm(np.diff(body[rows, :12], axis=1), axis=2).mean(axis=1)
    share = (rows - rows[0]) / max(last - 1 - rows[0], 1)
    width = cut.lapel * np.clip(share / 0.72, 0, 1) ** 0.8 * np.where(share > 0.86, 0.72, 1.0) + 0.002
    across = np.linspace(0, 1, _ACROSS)[None] * (width / spacing)[:, None]
    return [across, body.shape[1] - 1 - across]


def _along(values: np.ndarray, columns: np.ndarray, body_rows: int, cut: Cut) -> np.ndarray:
    """values: (rows, columns, c) of the body's grid, read at fractional columns of the lapel's rows."""
    first = int(cut.button * body_rows)
    rows = values[first : first + len(columns)]
    low = np.clip(np.floor(columns).astype(int), 0, values.shape[1] - 2)
    part = (columns - low)[..., None]
    row = np.arange(len(rows))[:, None]
    return rows[row, low] * (1 - part) + rows[row, low + 1] * part


def with_lapels(mesh: Mesh, jacket: Jacket, draped: np.ndarray, normals: np.ndarray, cut: Cut) -> Mesh:
    """mesh: of the jacket; draped, normals: of its grid's vertices."""
    assert mesh.uv is not None
    assert mesh.panels is not None
    vertices, faces, uv, panels = [mesh.vertices], [mesh.faces], [mesh.uv], [mesh.panels]
    start = len(mesh.vertices)
    grid = _grid(jacket)
    for side, (columns, own_uv) in enumerate(zip(_columns(jacket, cut), lapel_uv(jacket, cut), strict=True)):
        points = _along(draped[grid], columns, jacket.body_rows, cut)
        outward = _along(normals[grid], columns, jacket.body_rows, cut)
        lift = 0.003 + 0.007 * np.sin(np.linspace(0, 1, _ACROSS) * np.pi / 2)
        points = points + lift[None, :, None] * outward
        index = np.arange(points.shape[0] * _ACROSS).reshape(points.shape[:2])
        quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
        if side == 1:
            quads = quads[:, ::-1]
        vertices.append(points.reshape(-1, 3))
        faces.append(quads + start)
        uv.append(own_uv.reshape(-1, 2)[quads])
        panels.append(np.full(len(quads), 7, np.uint8))
        start += points.shape[0] * _ACROSS
    joined = np.concatenate(faces)
    points = np.concatenate(vertices)
    return Mesh(
        mesh.name, points, joined, np.ones((len(points), 3)), np.full(len(joined), 10, np.uint8),
        mesh.roughness, mesh.specular, mesh.subdivide, np.concatenate(uv), np.concatenate(panels),
    )  # fmt: skip
