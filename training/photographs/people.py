"""A posed person as meshes with colours: skin, eyes, hair, shirt, trousers."""

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from training.photographs.body import EYES, SKIN, _target, base_mesh, data_folder
from training.photographs.jacket import part_of_vertices
from training.photographs.posing import Skeleton


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
    extra: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Looks:
    """Linear RGB colours, lengths in metres."""

    skin: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    hair_colour: np.ndarray
    hair: str
    hair_length: float
    hair_thickness: float
    shirt: np.ndarray
    shirt_sleeve: float
    neckline: float
    trousers: np.ndarray
    beard: float

    def as_meta(self) -> dict:
        kept = {
            "hair": self.hair,
            "hair_length": round(self.hair_length, 3),
            "shirt_sleeve": self.shirt_sleeve,
        }
        return {**kept, "skin": np.round(self.skin, 4).tolist(), "shirt": np.round(self.shirt, 4).tolist()}


_HAIR = np.array([
    (0.006, 0.005, 0.005), (0.012, 0.008, 0.006), (0.03, 0.017, 0.01), (0.07, 0.04, 0.02), (0.16, 0.09, 0.04),
    (0.42, 0.28, 0.13), (0.2, 0.06, 0.02), (0.3, 0.3, 0.3), (0.6, 0.58, 0.55),
])  # fmt: skip


def sample_looks(rng: np.random.Generator, race: tuple[float, float, float], gender: float) -> Looks:
    pale, light, dark = (
        np.array([0.62, 0.41, 0.32]),
        np.array([0.55, 0.35, 0.22]),
        np.array([0.085, 0.042, 0.025]),
    )
    shares = np.array(race) ** 1.3
    shares /= shares.sum()
    skin = np.exp(shares[0] * np.log(dark) + shares[1] * np.log(light) + shares[2] * np.log(pale))
    skin = np.clip(skin * np.exp(rng.normal(0, 0.22)) * np.exp(rng.normal(0, 0.05, 3)), 0.02, 0.75)
    hair = str(rng.choice(["short", "long", "bob", "none", "cap", "bun"], p=_hair_chances(gender)))
    return Looks(
        skin=skin,
        lips=skin * np.array([0.9, 0.5, 0.5]) * rng.uniform(0.75, 1.0),
        iris=np.array([(0.05, 0.025, 0.012), (0.1, 0.16, 0.25), (0.07, 0.1, 0.05)])[
            rng.choice(3, p=[0.6, 0.2, 0.2])
        ],
        hair_colour=_HAIR[rng.choice(9, p=[0.18, 0.16, 0.17, 0.13, 0.1, 0.1, 0.06, 0.06, 0.04])]
        * rng.uniform(0.7, 1.3),
        hair=hair,
        hair_length=float(rng.uniform(0.22, 0.5) if hair == "long" else rng.uniform(0.12, 0.22)),
        hair_thickness=float(rng.uniform(0.008, 0.03)),
        shirt=_cloth_colour(rng),
        shirt_sleeve=float(rng.choice([0.12, 0.45, 0.6, 1.9], p=[0.15, 0.4, 0.2, 0.25])),
        neckline=float(rng.choice([0.0, rng.uniform(0.02, 0.1)])),
        trousers=_cloth_colour(rng) * 0.7,
        beard=float(rng.uniform(0.2, 0.8)) if gender > 0.5 and rng.random() < 0.4 else 0.0,
    )


def _hair_chances(gender: float) -> list[float]:
    return [0.6, 0.06, 0.06, 0.16, 0.12, 0.0] if gender > 0.5 else [0.14, 0.42, 0.26, 0.02, 0.04, 0.12]


def _cloth_colour(rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.35:
        return (
            np.full(3, rng.choice([0.02, 0.04, 0.12, 0.3, 0.6, 0.75]))
            * rng.uniform(0.8, 1.1)
            * np.exp(rng.normal(0, 0.03, 3))
        )
    hue = cv2.cvtColor(
        np.array([[[rng.integers(180), rng.integers(40, 200), rng.integers(40, 240)]]], np.uint8),
        cv2.COLOR_HSV2RGB,
    )
    return (hue[0, 0] / 255.0) ** 2.2 * 0.85 + 0.01


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
    from scipy.sparse import coo_matrix, diags

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


def _uv_mask(name: str) -> np.ndarray:
    """A mask of the package (white where it applies), at the skin's vertices: (N,) 0 to 1."""
    picture = cv2.imread(str(data_folder() / "textures" / f"mpfb_{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    mesh = base_mesh()
    uv = np.zeros((len(mesh.vertices), 2))
    uv[mesh.faces.reshape(-1)] = mesh.uv[mesh.uv_faces.reshape(-1)]
    x = np.clip(uv[:, 0] * picture.shape[1], 0, picture.shape[1] - 1).astype(int)
    y = np.clip((1 - uv[:, 1]) * picture.shape[0], 0, picture.shape[0] - 1).astype(int)
    return picture[y, x][SKIN] / 255.0


_PART_BONES = {
    1: (
        "head",
        "jaw",
        "neck03",
        "eye",
        "oculi",
        "oris",
        "levator",
        "orbicularis",
        "risorius",
        "special",
        "temporalis",
        "tongue",
    ),
    2: ("neck",),
    5: ("wrist", "finger", "metacarpal"),
    4: ("upperarm", "lowerarm"),
    6: ("upperleg", "lowerleg", "foot", "toe"),
}


@lru_cache
def skin_parts() -> np.ndarray:
    """Index into PARTS of each skin vertex."""
    bones = part_of_vertices()
    parts = np.full(len(bones), 3, np.uint8)
    for part, prefixes in reversed(_PART_BONES.items()):
        for prefix in prefixes:
            parts[np.char.startswith(bones, prefix)] = part
    return parts


def _faces(kept: np.ndarray) -> np.ndarray:
    faces = base_mesh().faces[base_mesh().groups["body"]]
    return faces[kept[faces].all(axis=1)]


def skin_mesh(rest: np.ndarray, posed: np.ndarray, looks: Looks, rng: np.random.Generator) -> Mesh:
    colours = np.tile(looks.skin, (SKIN.stop, 1))
    blotches = np.sin(rest[SKIN] @ rng.normal(0, 60, (3, 8)) + rng.uniform(0, 6.28, 8)).mean(axis=1)
    colours *= np.exp(0.1 * blotches)[:, None] * np.exp(0.05 * blotches[:, None] * np.array([1, -0.6, -0.6]))
    lips = _uv_mask("lips")[:, None]
    colours = colours + lips * (looks.lips - colours)
    brow = _target("eyebrows/eyebrows-trans-up")
    if brow is not None:
        strength = np.zeros(len(rest))
        strength[brow[0]] = np.linalg.norm(brow[1], axis=1)
        eye = 0.5 * (rest[EYES["l"]].mean(axis=0) + rest[EYES["r"]].mean(axis=0))
        share = np.clip(strength[SKIN] / strength.max() * 2.2 - 1.0, 0, 1)
        share *= rest[SKIN][:, 2] > eye[2] + 0.012
        share *= rest[SKIN][:, 2] < eye[2] + 0.034
        colours += 0.75 * share[:, None] * (looks.hair_colour * 0.8 - colours)
    if looks.beard:
        eye_z = rest[EYES["l"]].mean(axis=0)[2]
        below = np.clip((eye_z - 0.045 - rest[SKIN][:, 2]) / 0.02, 0, 1) * (1 - lips[:, 0])
        neck = np.clip((rest[SKIN][:, 2] - (eye_z - 0.15)) / 0.02, 0, 1)
        front = np.clip((0.02 - rest[SKIN][:, 1]) / 0.03, 0, 1)
        colours += (
            looks.beard
            * (below * neck * front * (skin_parts() == 1))[:, None]
            * (looks.hair_colour - colours)
        )
    faces = _faces(np.ones(SKIN.stop, bool))
    return Mesh("skin", posed[SKIN], faces, colours, skin_parts()[faces[:, 0]], 0.48, 0.35)


def eye_mesh(posed: np.ndarray, looks: Looks) -> Mesh:
    mesh = base_mesh()
    vertices, faces, colours = [], [], []
    start = 0
    for side in ("l", "r"):
        place = EYES[side]
        own = mesh.faces[mesh.groups[f"helper-{side}-eye"]] - place.start
        points = posed[place]
        centre = points.mean(axis=0)
        distance = np.linalg.norm(points - centre, axis=1)
        front = points[distance.argmax()] - centre
        cosine = (points - centre) @ front / (distance * np.linalg.norm(front) + 1e-12)
        colour = np.where((cosine > 0.86)[:, None], looks.iris, np.array([0.42, 0.39, 0.37]))
        colour[cosine > 0.97] = 0.004
        vertices.append(points)
        faces.append(own + start)
        colours.append(colour)
        start += len(points)
    joined = np.concatenate(faces)
    return Mesh(
        "eyes",
        np.concatenate(vertices),
        joined,
        np.concatenate(colours),
        np.full(len(joined), 11, np.uint8),
        0.1,
        0.6,
    )


def _offset_mesh(
    name: str, posed: np.ndarray, kept: np.ndarray, distance: float, colour: np.ndarray, part: int
) -> Mesh:
    every = _faces(np.ones(SKIN.stop, bool))
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
        name, softened[used], number[faces], np.tile(colour, (len(used), 1)), np.full(len(faces), part, np.uint8), 0.85, 0.2,
        grain=0.15,
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
    every = _faces(np.ones(SKIN.stop, bool))
    normals = vertex_normals(posed[SKIN], every)
    ramp = np.clip(over / 0.03, 0.12, 1)
    lumps = np.sin(skin @ rng.normal(0, 45, (3, 6)) + rng.uniform(0, 6.28, 6)).mean(axis=1)
    wave = 0.35 * lumps if looks.hair != "cap" else 0.0
    moved = posed[SKIN] + (thickness * ramp * (1 + wave))[:, None] * normals
    faces = every[kept[every].all(axis=1)]
    used = np.unique(faces)
    number = np.full(SKIN.stop, -1)
    number[used] = np.arange(len(used))
    colour = looks.hair_colour if looks.hair != "cap" else _cloth_colour(rng)
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
    head = BVHTree.FromPolygons(posed[SKIN].tolist(), _faces(np.isin(skin_parts(), [1, 2])).tolist())
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
