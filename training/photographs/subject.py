"""A dressed person: everything in a scene but its camera and its lights."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from mathutils.bvhtree import BVHTree

from training.photographs.body import EYES, SKIN, sample_shape, shaped_vertices
from training.photographs.cuts import Cut, sample_cut
from training.photographs.dressing import dress, soften
from training.photographs.hair import hair_meshes
from training.photographs.jacket import build_jacket, jacket_mesh
from training.photographs.lapels import lapel_uv, with_lapels
from training.photographs.looks import sample_looks
from training.photographs.meshes import Mesh, polygons, vertex_normals
from training.photographs.numbering import GENERATOR
from training.photographs.parts import skin_parts
from training.photographs.people import eye_mesh, skin_mesh
from training.photographs.poses import Surface, landmark_places, take_pose
from training.photographs.posing import Skeleton
from training.photographs.trim import draw_trim
from training.photographs.undergarments import shirt_mesh, trouser_mesh


@dataclass(frozen=True)
class Subject:
    """Everything in a scene but its camera and its lights."""

    person: tuple[Mesh, ...]
    jacket: Mesh
    trim: np.ndarray
    landmarks: np.ndarray
    posed: np.ndarray
    meta: dict[str, Any]
    cut: Cut


def make_subject(number: int, split: str) -> Subject:
    rng = np.random.default_rng([GENERATOR, number, split == "validation"])
    began, spent = time.perf_counter(), time.process_time()
    shape = sample_shape(rng)
    rest = shaped_vertices(shape)
    cut = sample_cut(rng, split)
    skeleton = Skeleton.of(rest)
    looks = sample_looks(rng, shape.race, shape.gender)
    torso = np.flatnonzero(np.isin(skin_parts(), [3, 6]))
    pose = take_pose(skeleton, Surface(rest[SKIN], torso), rng, cut.ease + 0.01)
    if pose["seated"]:  # no pattern for the lap: only short jackets sit well
        cut = replace(cut, hem=min(cut.hem, -0.04))
    posed = skeleton.skin(rest)
    jacket = build_jacket(rest, skeleton, cut, rng)
    draped = soften(dress(jacket, cut, rest, posed, skeleton, rng), jacket)
    worn = jacket_mesh(jacket, draped)
    if cut.lapel:
        worn = with_lapels(worn, jacket, draped, vertex_normals(draped, jacket.faces), cut)
    skin, shirt = skin_mesh(rest, posed, looks, rng), shirt_mesh(rest, posed, skeleton, looks)
    away = _joined(skin, worn)
    person = (
        skin, eye_mesh(posed, looks), shirt, trouser_mesh(rest, posed, skeleton, looks),
        *hair_meshes(rest, posed, skeleton, looks, away, rng),
    )  # fmt: skip
    eyes = {side: posed[place].mean(axis=0) for side, place in EYES.items()}
    meta: dict[str, Any] = {
        "body": {key: value for key, value in asdict(shape).items() if key != "details"},
        "pose": pose,
        "cut": asdict(cut),
        "looks": looks.as_meta(),
        "seconds": {
            "subject": round(time.perf_counter() - began, 2),
            "subject_cpu": round(time.process_time() - spent, 2),
        },
    }
    trim = draw_trim(jacket, cut, lapel_uv(jacket, cut), rng)
    landmarks = landmark_places(skeleton, posed[SKIN], eyes)
    return Subject(person, worn, trim, landmarks, posed, meta, cut)


def _joined(*meshes: Mesh) -> BVHTree:
    vertices, faces, start = [], [], 0
    for mesh in meshes:
        vertices.append(mesh.vertices)
        faces.append(mesh.faces + start)
        start += len(mesh.vertices)
    return BVHTree.FromPolygons(np.concatenate(vertices).tolist(), polygons(np.concatenate(faces)))
