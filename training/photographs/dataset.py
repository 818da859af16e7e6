"""Photographs from rendered geometries: any light, any fabric, any camera. Needs NumPy and OpenCV, not
Blender.

photographs = Photographs(Path("build/photographs"), "train")
photograph = photographs.sample(np.random.default_rng(1))
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.photographs.camera import Webcam, sample_webcam, to_srgb
from training.photographs.canvases import draw_canvas
from training.photographs.cloths import Dressing, albedo, sample_dressing
from training.photographs.dyes import sample_dyes
from training.photographs.environments import environment_paths, read_environment, seen_from
from training.photographs.lights import Lights, direction
from training.photographs.storage import Geometry, read_geometry


@dataclass(frozen=True)
class Lighting:
    """weights: (G, 3) of the basis' lights; background: (h, w, 3) linear light behind the person."""

    weights: np.ndarray
    background: np.ndarray
    name: str


@dataclass(frozen=True)
class Photograph:
    """A try-on scene with its truth, h × w pixels.

    camera: (h, w, 3) uint8, the person without the jacket, as decoded from a webcam's JPEG.
    render: (h, w, 4) uint8, the jacket as a frontend draws it: flat light, not occluded by anything.
    target: (h, w, 3) uint8, the photograph with the jacket on; before JPEG, and with the same grain as
    `camera`.
    mask: (h, w) float32, how much of each pixel the visible jacket covers: not behind hands, hair, chin.
    canvas: (h, w, 3) uint8, an opaque canvas with the render on it.
    landmarks: (33, 4) float32 in MediaPipe's order: x, y (shares of the picture), z, visibility.
    geometry: for its normals, parts and coverages.
    """

    camera: np.ndarray
    render: np.ndarray
    target: np.ndarray
    mask: np.ndarray
    canvas: np.ndarray
    landmarks: np.ndarray
    meta: dict[str, Any]
    geometry: Geometry


def light_from_environment(geometry: Geometry, path: Path, rng: np.random.Generator) -> Lighting:
    """An environment turned at random, mostly so that its strongest source meets one of the hard lights."""
    picture, environment = read_environment(path)
    lights = Lights.of_meta(geometry.meta["lights"])
    if rng.random() < 0.7:
        environment = environment.natural
    rotation = rng.uniform(0, 2 * np.pi)
    if environment.suns and rng.random() < 0.7:
        sun = environment.suns[0].towards
        chosen = lights.towards[rng.choice(np.flatnonzero(lights.hard))]
        rotation = np.arctan2(chosen[1], chosen[0]) - np.arctan2(sun[1], sun[0])
    weights = environment.weights(lights, float(rotation))
    background = seen_from(picture, geometry.meta["camera"], geometry.size, float(rotation))
    if rng.random() < 0.6:
        background = cv2.GaussianBlur(background, (0, 0), rng.uniform(0.5, 5) * _scale(geometry))
    if rng.random() < 0.2:  # a plain wall instead, in the light that falls on it from the camera's side
        facing = np.maximum(-(lights.towards @ _view(geometry)), 0) * lights.irradiance
        paint = rng.uniform(0.05, 0.8) * np.clip(rng.normal(1, 0.12, 3), 0.6, 1.4)
        wall = (facing[:, None] * weights).sum(axis=0) / np.pi * paint
        background = np.broadcast_to(wall, background.shape) * _falloff(geometry.size, rng)
    return Lighting(weights, background.astype(np.float32), path.stem)


def light_from_lamps(geometry: Geometry, rng: np.random.Generator) -> Lighting:
    """A room with one to three lamps or windows of different colours."""
    lights = Lights.of_meta(geometry.meta["lights"])
    count = len(lights.hard)
    room = rng.uniform(0.03, 0.5)
    tone = np.exp(rng.normal(0, 0.12, 3))
    weights = np.full((count, 3), room) * tone * np.where(lights.hard, 0, 1)[:, None]
    weights *= np.exp(0.5 * lights.towards[:, 2:] * rng.uniform(-0.4, 1.2))
    for _ in range(rng.integers(1, 4)):
        towards = direction(rng.normal(0, 1.0), np.radians(rng.uniform(-5, 70)))
        warm = rng.normal(0, 0.25)
        colour = np.array([np.exp(warm), 1.0, np.exp(-1.2 * warm)]) * rng.uniform(0.3, 2.5)
        if rng.random() < 0.4:
            weights[int(np.where(lights.hard, lights.towards @ towards, -2).argmax())] += 0.6 * colour
        else:
            spread = np.exp((lights.towards @ towards - 1) / rng.uniform(0.03, 0.25)) * ~lights.hard
            weights += spread[:, None] / max(float((spread * lights.irradiance).sum()), 1e-3) * np.pi * colour
    facing = np.maximum(-(lights.towards @ _view(geometry)), 0) * lights.irradiance
    paint = rng.uniform(0.03, 0.85) * np.clip(rng.normal(1, 0.15, 3), 0.5, 1.5)
    wall = (facing[:, None] * weights).sum(axis=0) / np.pi * paint
    background = np.broadcast_to(wall, (*geometry.size, 3)) * _falloff(geometry.size, rng)
    return Lighting(weights, background.astype(np.float32), "lamps")


def _scale(geometry: Geometry) -> float:
    """Of its pictures' sides, over those of the camera's own."""
    return float(geometry.meta.get("scale", 1.0))


def _view(geometry: Geometry) -> np.ndarray:
    """The direction in which the camera looks."""
    return np.asarray(geometry.meta["camera"]["rotation"], np.float32)[2]


def _falloff(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Uneven light on a wall, (h, w, 1), about 1."""
    coarse = np.exp(rng.normal(0, 0.25, (3, 4))).astype(np.float32)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)[..., None]


def draw_render(geometry: Geometry, dressing: Dressing, rng: np.random.Generator) -> np.ndarray:
    """The jacket as a frontend draws it, (h, w, 4) uint8: an even sky, or a lamp of the client's scene as
    well."""
    colour = albedo(dressing, geometry.uv_render, geometry.trim)
    normal = geometry.normal_render
    even = geometry.flat.astype(np.float32) / 255
    light = np.ones(even.shape, np.float32)
    kind = rng.random()
    if kind < 0.55:
        light = 1 + rng.uniform(0, 1) * (even - 1)
    elif kind < 0.85:
        lamp = np.array([rng.normal(0, 0.5), -abs(rng.normal(0.5, 0.4)), 1.0])
        lambert = np.maximum(normal @ (lamp / np.linalg.norm(lamp)).astype(np.float32), 0)
        share = rng.uniform(0.2, 0.7)
        light = share * lambert * 1.25 + (1 - share)
    gain = np.exp(rng.normal(0, 0.12))
    alpha = geometry.coverage("render")
    return np.dstack([to_srgb(colour * (gain * light)[..., None]), np.rint(255 * alpha).astype(np.uint8)])


def photograph(
    geometry: Geometry,
    lighting: Lighting,
    dressing: Dressing,
    rng: np.random.Generator,
    dyes: np.ndarray | None = None,
) -> Photograph:
    """Put light, fabric and camera together. dyes: of the person's parts, see `dyes`."""
    person = geometry.combine("camera", lighting.weights)
    if dyes is not None:
        person *= dyes[geometry.parts_camera]
    scene = person + (1 - geometry.coverage("camera"))[..., None] * lighting.background
    colour = albedo(dressing, geometry.uv_target, geometry.trim)
    jacket = geometry.combine("cloth", lighting.weights) * colour
    jacket += dressing.gloss * geometry.combine("gloss", lighting.weights)
    mask = geometry.coverage("visible")
    behind = np.clip(1 - geometry.coverage("worn") - mask, 0, 1)[..., None]
    if geometry.worn is None:
        around = (1 - mask)[..., None] * person
    else:
        around = geometry.combine("worn", lighting.weights)
        if dyes is not None:
            around *= dyes[geometry.parts_target]
    dressed = around + jacket + behind * lighting.background
    webcam = sample_webcam(rng, scene, geometry.coverage("camera"), _incident(geometry, lighting))
    webcam = replace(webcam, scale=min(1.0, _scale(geometry)))  # larger pictures are a better camera's own
    camera = webcam.jpeg(webcam.picture(scene))
    target = webcam.picture(dressed)
    render = draw_render(geometry, dressing, rng)
    return Photograph(
        camera=camera,
        render=render,
        target=target,
        mask=mask,
        canvas=draw_canvas(camera, render, rng),
        landmarks=geometry.landmarks,
        meta=_meta(geometry, lighting, dressing, webcam),
        geometry=geometry,
    )


def _incident(geometry: Geometry, lighting: Lighting) -> np.ndarray:
    """RGB of the light that falls on what faces the camera."""
    lights = Lights.of_meta(geometry.meta["lights"])
    facing = np.maximum(-(lights.towards @ _view(geometry)), 0.0) * lights.irradiance
    return np.asarray((facing[:, None] * lighting.weights).sum(axis=0))


def _meta(geometry: Geometry, lighting: Lighting, dressing: Dressing, webcam: Webcam) -> dict[str, Any]:
    kept = {key: geometry.meta[key] for key in ("id", "version", "split", "cut", "pose", "body")}
    return {**kept, "light": lighting.name, "fabric": dressing.name, "webcam": webcam.as_meta()}


class Photographs:
    """The geometries of a split that are rendered so far, as an endless source of photographs.

    The folder may grow meanwhile: `refresh()` lists it again. kept: how many geometries stay in memory; one
    takes about 25 MB.
    """

    def __init__(self, folder: Path, split: str, kept: int = 64, oldest: int = 0) -> None:
        """oldest: leave out geometries of a generator before this version."""
        self.folder, self.split, self.oldest = folder, split, oldest
        self._kept = kept
        self._cache: OrderedDict[Path, Geometry] = OrderedDict()
        self.environments = environment_paths(folder / "environments", split)
        self.refresh()

    def refresh(self) -> None:
        found = sorted((self.folder / self.split).glob("[!.]*/meta.json"))
        self.paths = [path.parent for path in found if int(path.parent.name.split("-")[0]) >= self.oldest]

    def __len__(self) -> int:
        return len(self.paths)

    def geometry(self, index: int) -> Geometry:
        path = self.paths[index]
        if path in self._cache:
            self._cache.move_to_end(path)
        else:
            self._cache[path] = read_geometry(path)
            while len(self._cache) > self._kept:
                self._cache.popitem(last=False)
        return self._cache[path]

    def sample(self, rng: np.random.Generator, index: int | None = None, dyed: bool = False) -> Photograph:
        """A random photograph, of a random geometry if no index is given. dyed: in colours of its own."""
        geometry = self.geometry(int(rng.integers(len(self.paths))) if index is None else index)
        if rng.random() < 0.8:
            path = self.environments[rng.integers(len(self.environments))]
            lighting = light_from_environment(geometry, path, rng)
        else:
            lighting = light_from_lamps(geometry, rng)
        dressing = sample_dressing(rng, self.split)
        dyes = sample_dyes(geometry, rng) if dyed else None
        return photograph(geometry, lighting, dressing, rng, dyes)
