"""Hair: a cap that follows the head, a curtain that falls and lies on the shoulders, or a bun."""

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from training.photographs.body import EYES, SKIN
from training.photographs.looks import Looks, cloth_colour
from training.photographs.meshes import Mesh, smooth, vertex_normals
from training.photographs.parts import body_faces, skin_parts
from training.photographs.posing import Skeleton


def hair_meshes(rest: np.ndarray, posed: np.ndarray, skeleton: Skeleton, looks: Looks, away: BVHTree,
                rng: np.random.Generator) -> list[Mesh]:  # fmt: skip
    """away: the posed body with what it wears, on which long hair lies."""
    if looks.hair == "none":
        return []
    skin, parts = rest[SKIN], skin_parts()
    eye = 0.5 * (rest[EYES["l"]].mean(axis=0) + rest[EYES["r"]].mean(axis=0))
    relative = skin - eye
    depth = np.clip((relative[:, 1] - 0.01) / 0.13, 0, 1)
    turn = depth * depth * (3 - 2 * depth)
    line = 0.055 - 0.15 * turn + 0.012 * rng.normal() * (1 - turn)
    over = relative[:, 2] - line
    kept = (over > 0) & np.isin(parts, [1, 2])
    thickness = looks.hair_thickness if looks.hair != "cap" else 0.012
    every = body_faces(np.ones(SKIN.stop, bool))
    normals = vertex_normals(posed[SKIN], every)
    ramp = np.clip(over / 0.03, 0.12, 1)
    lumps = np.sin(skin @ rng.normal(0, 45, (3, 6)) + rng.uniform(0, 6.28, 6)).mean(axis=1)
    wave = 0.35 * lumps if looks.hair != "cap" else 0.0
    moved = posed[SKIN] + (thickness * ramp * (1 + wave))[:, None] * normals
    faces = every[kept[every].all(axis=1)]
    used = np.unique(faces)
    number = np.full(SKIN.stop, -1)
    number[used] = np.arange(len(used))
    colour = looks.hair_colour if looks.hair != "cap" else cloth_colour(rng)
    shade = np.exp(0.35 * np.sin(skin @ rng.normal(0, 300, (3, 5)) + rng.uniform(0, 6.28, 5)).mean(axis=1))
    colours = (colour * shade[:, None])[used] if looks.hair != "cap" else np.tile(colour, (len(used), 1))
    meshes = [
        Mesh(
            "hair",
            smooth(moved, faces, 1)[used],
            number[faces],
            colours,
            np.full(len(faces), 7, np.uint8),
            0.5,
            0.4,
            grain=0.2,
        )
    ]
    if looks.hair in ("long", "bob"):
        meshes.append(_curtain(posed, skeleton, looks, away, rng))
    if looks.hair == "bun":
        meshes.append(_bun(skeleton, looks, rng))
    return meshes


def _head_axes(
    skeleton: Skeleton, posed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The head's centre, and its left, back and up."""
    turned = skeleton.rotation("head")
    eye = 0.5 * (posed[EYES["l"]].mean(axis=0) + posed[EYES["r"]].mean(axis=0))
    left, back, up = turned[:, 0], turned[:, 1], turned[:, 2]
    return eye + 0.095 * back + 0.035 * up, left, back, up


def _curtain(
    posed: np.ndarray, skeleton: Skeleton, looks: Looks, away: BVHTree, rng: np.random.Generator
) -> Mesh:
    centre, left, back, up = _head_axes(skeleton, posed)
    head = BVHTree.FromPolygons(posed[SKIN].tolist(), body_faces(np.isin(skin_parts(), [1, 2])).tolist())
    columns, top_rows, low_rows = 96, 10, 22
    open_face = np.radians(rng.uniform(38, 62))
    around = np.linspace(open_face, 2 * np.pi - open_face, columns)
    locks = np.interp(np.arange(columns), np.linspace(0, columns, 15), rng.normal(0, 1, 15))
    fine = rng.normal(0, 1, columns)
    parting = rng.uniform(-0.3, 0.3)
    points = np.empty((top_rows + low_rows, columns, 3))
    thick = looks.hair_thickness
    bottom_shape = 0.05 * locks + 0.02 * fine
    for column, angle in enumerate(around):
        flat = np.sin(angle) * left - np.cos(angle) * back
        for row in range(top_rows):
            rise = np.radians(np.interp(row / (top_rows - 1), [0, 1], [86, 12]))
            way = np.cos(rise) * flat + np.sin(rise) * (up + 0.15 * parting * left)
            way /= np.linalg.norm(way)
            hit = head.ray_cast(Vector(centre + 0.35 * way), Vector(-way), 0.35)
            reach = 0.1 if hit[3] is None else 0.35 - hit[3]
            lump = thick * (1 + 0.25 * locks[column] * row / top_rows)
            points[row, column] = centre + (reach + max(lump, 0.004)) * way
        last = points[top_rows - 1, column]
        length = max(looks.hair_length + bottom_shape[column], 0.05)
        # It falls in short steps, and lies on what it meets.
        step = length / low_rows
        place = last
        inward = -(0.02 + 0.05 * abs(np.sin(angle))) * (1 + 0.12 * locks[column]) * flat
        wanted = 0.012 + 0.004 * (1 + np.tanh(locks[column])) + 0.003 * fine[column]
        for row in range(low_rows):
            place = place + np.array([0, 0, -step]) + inward * (2.0 / low_rows if row < low_rows // 2 else 0)
            for _ in range(3):
                found = away.find_nearest(Vector(place), 0.08)
                if found[0] is None:
                    break
                normal = np.array(found[1])
                depth = float((place - np.array(found[0])) @ normal)
                if depth >= wanted:
                    break
                place = place + (wanted - depth) * normal
            points[top_rows + row, column] = place
    points[2:, 1:-1] = 0.5 * points[2:, 1:-1] + 0.25 * (points[2:, :-2] + points[2:, 2:])
    rows = top_rows + low_rows
    index = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    shade = np.exp(0.3 * fine + 0.2 * locks)[None, :, None] * np.ones((rows, 1, 1))
    colours = (looks.hair_colour * shade).reshape(-1, 3)
    return Mesh(
        "curtain",
        points.reshape(-1, 3),
        faces,
        colours,
        np.full(len(faces), 7, np.uint8),
        0.42,
        0.45,
        grain=0.15,
    )


def _bun(skeleton: Skeleton, looks: Looks, rng: np.random.Generator) -> Mesh:
    turned = skeleton.rotation("head")
    centre = skeleton.head("head") + turned @ np.array(
        [0, 0.09 + rng.uniform(0, 0.03), rng.uniform(0.05, 0.16)]
    )
    radius = rng.uniform(0.035, 0.055)
    rows, columns = 10, 16
    polar, around = np.linspace(0.05, np.pi - 0.05, rows), np.linspace(0, 2 * np.pi, columns)
    points = np.stack([
        np.sin(polar)[:, None] * np.cos(around), np.sin(polar)[:, None] * np.sin(around),
        np.cos(polar)[:, None] * np.ones(columns),
    ], -1) * radius * (1 + 0.05 * np.sin(7 * around)[None, :, None]) + centre  # fmt: skip
    index = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    colours = np.tile(looks.hair_colour, (rows * columns, 1))
    return Mesh(
        "bun", points.reshape(-1, 3), faces, colours, np.full(len(faces), 7, np.uint8), 0.45, 0.4, grain=0.5
    )
