"""The flat render of a jacket, as a Three.js frontend draws it."""

import numpy as np

from training.lucy_tiny.anatomy import read_body
from training.lucy_tiny.cuts import Cut, sample_cut
from training.lucy_tiny.fabrics import Fabric, plain_fabric, sample_fabric
from training.lucy_tiny.gbuffer import GBuffer, Layer
from training.lucy_tiny.photography import to_srgb
from training.lucy_tiny.tailoring import cut_jacket


def draw_flat(layers: list[Layer], size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The layers in a frontend's style, RGBA uint8 (height, width, 4), on a transparent background.

    The light is neutral, comes from above the camera, and casts no shadows.

    Some frontends' meshes are smooth; most have modelled folds, which are flatter than real ones.
    """
    buffer = GBuffer(size)
    buffer.paint_all(layers, folded=0.0 if rng.random() < 0.15 else rng.uniform(0.5, 1.0))
    ambient = rng.uniform(0.5, 0.85)
    light = np.array([rng.normal(0, 0.25), -rng.uniform(0.2, 0.7), 1.0])
    towards = (light / np.linalg.norm(light)).astype(np.float32)
    facing = np.clip(np.tensordot(towards, buffer.normal, 1), 0, 1)
    brightness = (ambient + (1.05 - ambient) * facing) * np.float32(rng.uniform(0.92, 1.05))
    brightness /= np.maximum(buffer.coverage, 1e-3)  # the buffer's edges are mixed with black
    lit = np.moveaxis(buffer.albedo * brightness, 0, 2)
    return np.dstack([to_srgb(lit), np.rint(buffer.coverage * 255).astype(np.uint8)])


def render_jacket(
    landmarks: np.ndarray,
    size: tuple[int, int],
    fabric: np.ndarray | tuple[int, int, int] | None = None,
    seed: int = 0,
    cut: Cut | None = None,
) -> np.ndarray:
    """A jacket on a body, as a 3D frontend draws it over the camera's picture.

    landmarks: (33, 4) MediaPipe points: x, y (0 to 1 of the frame), z, visibility.
    size: (width, height) of the frame in pixels.
    fabric: a texture (h, w, 3) uint8 sRGB that repeats, an sRGB colour, or None for a random cloth.
    seed: of the cut and the cloth. cut: replaces the random cut.
    Returns RGBA uint8 (height, width, 4), transparent around the jacket. Raises ValueError if the
    shoulders are not seen.
    """
    rng = np.random.default_rng(seed)
    if fabric is None:
        cloth = sample_fabric(rng)
    elif isinstance(fabric, np.ndarray):
        cloth = Fabric("cotton", "", fabric)
    else:
        cloth = plain_fabric(fabric, rng)
    canvas = (size[1], size[0])
    layers = cut_jacket(read_body(landmarks, size), cut or sample_cut(rng), cloth, canvas, seed)
    return draw_flat(layers, canvas, rng)
