"""A training scene: the camera frame, the flat render, and the photograph of the dressed person."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.lucy_tiny.anatomy import read_body, sample_landmarks
from training.lucy_tiny.backgrounds import sample_background
from training.lucy_tiny.captions import caption
from training.lucy_tiny.cuts import sample_cut
from training.lucy_tiny.fabrics import Fabric, sample_fabric
from training.lucy_tiny.gbuffer import GBuffer, coverage
from training.lucy_tiny.jackets import draw_flat
from training.lucy_tiny.looks import sample_looks
from training.lucy_tiny.people import Person
from training.lucy_tiny.photography import automatic_exposure, sample_camera, sample_light, shade
from training.lucy_tiny.tailoring import cut_jacket

# Landmarks in shoulder widths, (33, 4) → in the picture.
Framing = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Scene:
    """frame: the camera's picture, (H, W, 3) sRGB uint8.
    render: the jacket as a frontend draws it, (H, W, 4) RGBA uint8, still over head and hands.
    mask: (H, W) uint8, the garment's coverage, without head and hands.
    target: (H, W, 3) sRGB uint8, the photograph of the dressed person; equal to the frame where mask is 0.
    landmarks: (33, 4). colour, fabric, light: the caption's words.
    """

    frame: np.ndarray
    render: np.ndarray
    mask: np.ndarray
    target: np.ndarray
    landmarks: np.ndarray
    colour: str
    fabric: str
    light: str

    @property
    def composite(self) -> np.ndarray:
        """The render drawn on the frame, (H, W, 3) sRGB uint8."""
        return blend(self.frame, self.render[..., :3], self.mask)

    @property
    def caption(self) -> str:
        return caption(self.colour, self.fabric, self.light)


def blend(below: np.ndarray, above: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`above` drawn over `below` with coverage `mask` (H, W) uint8: (H, W, 3) uint8."""
    share = mask[..., None].astype(np.float32) / 255
    return np.rint(below + share * (above.astype(np.float32) - below)).astype(np.uint8)


def frame_landmarks(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Landmarks in shoulder widths → in a square picture, cropped as the server crops a webcam's frame.

    The webcam shows the person from above the head down to somewhere between chest and knees; the crop is
    the smallest square around the visible jacket, with a margin.
    """
    bottom = rng.uniform(0.6, 2.1)
    arms = points[[11, 12, 13, 14, 15, 16], :2]
    left, right = min(arms[:, 0].min() - 0.22, -0.7), max(arms[:, 0].max() + 0.22, 0.7)
    view = rng.uniform(0.75, 2.2)  # half of the webcam picture's width
    left, right = max(left, -view), min(right, view)
    top, low = -0.38, min(bottom, 1.75)
    side = max(right - left, low - top) * (1.12 + abs(rng.normal(0, 0.12)))
    side = min(side, max(bottom + 1.5, 1.9))
    corner = np.array([(left + right - side) / 2, (top + low - side) / 2])
    corner[1] = min(corner[1], bottom - side)
    corner += rng.normal(0, 0.03, 2) * side
    framed = points.copy()
    framed[:, :2] = (points[:, :2] - corner) / side
    framed[:, 2] = points[:, 2] / side
    return framed


def frame_with_head(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As `frame_landmarks`, but in a square with the whole head and more of the background."""
    bottom = rng.uniform(0.9, 2.1)
    side = rng.uniform(bottom + 1.0, bottom + 1.5)
    corner = np.array([rng.normal(0, 0.12) * side - side / 2, bottom - side])
    framed = points.copy()
    framed[:, :2] = (points[:, :2] - corner) / side
    framed[:, 2] = points[:, 2] / side
    return framed


def make_scene(
    seed: int,
    size: int = 256,
    shifted: bool = False,
    framing: Framing = frame_landmarks,
    cloth: Callable[[np.random.Generator], Fabric] = sample_fabric,
) -> Scene:
    """The scene of a seed, `size` × `size` pixels. shifted: use ranges that training never uses (harsher and
    more tinted light, wider poses and cuts). cloth: chooses the jacket's."""
    rng = np.random.default_rng([seed, int(shifted)])
    landmarks = framing(sample_landmarks(rng, 1.5 if shifted else 1.0), rng)
    body = read_body(landmarks, (size, size))
    light = sample_light(rng, 1.35 if shifted else 1.0)
    fabric = cloth(rng)
    cut = sample_cut(rng, 1.6 if shifted else 1.0)
    canvas = (size, size)
    person = Person(body, sample_looks(rng), canvas, rng)
    before = person.before()
    jacket = cut_jacket(body, cut, fabric, canvas, int(rng.integers(2**31)))

    undressed = GBuffer(canvas)
    undressed.paint_all(person.behind())
    dressed = undressed.copy()
    undressed.paint_all(before)
    dressed.paint_all(jacket)
    worn = coverage(jacket, canvas) * (1 - coverage(before, canvas))
    dressed.paint_all(before)

    background = sample_background(canvas, light, rng)
    camera = sample_camera(rng)

    def look(buffer: GBuffer) -> np.ndarray:
        return shade(buffer, light, body.unit) + (1 - buffer.coverage)[..., None] * background

    seen = look(undressed)
    exposure = automatic_exposure(seen)
    frame = camera.develop(seen * exposure, light.balance)
    mask = np.rint(255 * worn).astype(np.uint8)
    return Scene(
        frame=frame,
        render=draw_flat(jacket, canvas, rng),
        mask=mask,
        target=blend(frame, camera.develop(look(dressed) * exposure, light.balance), mask),
        landmarks=landmarks,
        colour=fabric.colour,
        fabric=fabric.name,
        light=light.phrase(exposure),
    )
