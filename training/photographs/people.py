"""A posed person's skin and eyes as meshes with colours."""

import cv2
import numpy as np

from training.photographs.body import EYES, SKIN, base_mesh, data_folder, target
from training.photographs.looks import Looks
from training.photographs.meshes import Mesh
from training.photographs.parts import body_faces, skin_parts


def uv_mask(name: str) -> np.ndarray:
    """A mask of the package (white where it applies), at the skin's vertices: (N,) 0 to 1."""
    picture = cv2.imread(str(data_folder() / "textures" / f"mpfb_{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    mesh = base_mesh()
    uv = np.zeros((len(mesh.vertices), 2))
    uv[mesh.faces.reshape(-1)] = mesh.uv[mesh.uv_faces.reshape(-1)]
    x = np.clip(uv[:, 0] * picture.shape[1], 0, picture.shape[1] - 1).astype(int)
    y = np.clip((1 - uv[:, 1]) * picture.shape[0], 0, picture.shape[0] - 1).astype(int)
    return picture[y, x][SKIN] / 255.0


def skin_mesh(rest: np.ndarray, posed: np.ndarray, looks: Looks, rng: np.random.Generator) -> Mesh:
    colours = np.tile(looks.skin, (SKIN.stop, 1))
    blotches = np.sin(rest[SKIN] @ rng.normal(0, 60, (3, 8)) + rng.uniform(0, 6.28, 8)).mean(axis=1)
    colours *= np.exp(0.1 * blotches)[:, None] * np.exp(0.05 * blotches[:, None] * np.array([1, -0.6, -0.6]))
    lips = uv_mask("lips")[:, None]
    colours = colours + lips * (looks.lips - colours)
    colours *= 1 - 0.5 * uv_mask("eyelids")[:, None]
    brow = target("eyebrows/eyebrows-trans-up")
    if brow is not None:
        strength = np.zeros(len(rest))
        strength[brow[0]] = np.linalg.norm(brow[1], axis=1)
        eye = 0.5 * (rest[EYES["l"]].mean(axis=0) + rest[EYES["r"]].mean(axis=0))
        share = np.clip(strength[SKIN] / strength.max() * 2.2 - 1.0, 0, 1)
        share *= rest[SKIN][:, 2] > eye[2] + 0.012
        share *= rest[SKIN][:, 2] < eye[2] + 0.034
        colours += 0.85 * share[:, None] * (looks.hair_colour * 0.6 - colours)
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
    faces = body_faces(np.ones(SKIN.stop, bool))
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
