"""One scene as training needs it: what the light reader sees, and the photograph in the same window."""

import json
from pathlib import Path

import cv2
import numpy as np

from pipeline.garment.crop import Crop, scene_around
from pipeline.garment.scene import PLANES, seen_in
from pipeline.resize import size_of
from training.landmarks import from_points
from training.lucy_tiny.scenes import frame_with_head, make_scene

# A little more than the network's side, so that training can shift the window.
SIDE = 104
# The scene's planes, then the photograph's three. All are in 0…255.
COUNT = len(PLANES) + 3
# Painted scenes are drawn at this size: their detail is not needed.
_PAINTED = 160


def of_painted(seed: int) -> np.ndarray:
    """A scene of lucy-tiny's own generator: (COUNT, SIDE, SIDE) uint8."""
    scene = make_scene(seed, _PAINTED, framing=frame_with_head)
    frame, render, target = (
        np.ascontiguousarray(picture[:, :, ::-1])
        for picture in (scene.frame, scene.render[..., :3], scene.target)
    )
    return sample(frame, render, target, scene.mask, scene.landmarks, np.random.default_rng(seed))


def of_photograph(folder: Path, seed: int | None = None) -> np.ndarray:
    """A scene in a folder of its own: (COUNT, SIDE, SIDE) uint8.

    seed: of the window; None: the served one.
    """
    camera, target = (
        cv2.imread(str(folder / name), cv2.IMREAD_COLOR) for name in ("camera.jpg", "target.jpg")
    )
    render = cv2.imread(str(folder / "render.png"), cv2.IMREAD_UNCHANGED)
    visible = cv2.imread(str(folder / "mask.png"), cv2.IMREAD_GRAYSCALE)
    if any(picture is None for picture in (camera, target, render, visible)):
        raise FileNotFoundError(f"{folder} lacks one of camera.jpg, render.png, target.jpg and mask.png")
    if size_of(render) != size_of(camera):
        render = cv2.resize(render, size_of(camera), interpolation=cv2.INTER_AREA)
    mask = cv2.multiply(visible, render[..., 3], scale=1 / 255)
    return sample(
        camera,
        render[..., :3],
        target,
        mask,
        landmarks(folder),
        None if seed is None else np.random.default_rng(seed),
    )


def landmarks(folder: Path) -> np.ndarray:
    """(33, 4) float32 of the folder's pose.json; all zero without one."""
    path = folder / "pose.json"
    points = json.loads(path.read_text())["landmarks"] if path.exists() else None
    if not points:
        return np.zeros((33, 4), np.float32)
    return from_points(points)


def sample(
    camera: np.ndarray,
    render: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray,
    points: np.ndarray,
    rng: np.random.Generator | None,
) -> np.ndarray:
    """camera, render, target: (H, W, 3) BGR uint8, the render's colours as they are. rng: of the window."""
    window = scene_around(mask)
    window = _varied(window, rng) if rng is not None else _enlarged(window, SIDE / 96)
    premultiplied = cv2.multiply(render, cv2.merge([mask] * 3), scale=1 / 255)
    planes, _ = seen_in(window, camera, premultiplied, mask, points, SIDE)
    return with_photograph(planes, window, target)


def with_photograph(planes: np.ndarray, window: Crop, photograph: np.ndarray) -> np.ndarray:
    """A scene's planes (1, P, S, S) in 0…1 and its photograph (H, W, 3) BGR uint8: (P + 3, S, S) uint8."""
    side = planes.shape[-1]
    seen = window.of(photograph, (side, side), cv2.BORDER_REPLICATE)
    return np.concatenate([np.rint(255 * planes[0]).astype(np.uint8), np.stack(cv2.split(seen)[::-1])])


def _enlarged(window: Crop, factor: float) -> Crop:
    more = round((factor - 1) * window.width / 2)
    side = window.width + 2 * more
    return Crop(window.x - more, window.y - more, side, side)


def _varied(window: Crop, rng: np.random.Generator) -> Crop:
    """Another scale and place: masks, poses and clients differ."""
    side = window.width
    varied = _enlarged(window, SIDE / 96 * np.exp(rng.normal(0, 0.1)))
    x, y = (rng.normal(0, 0.03, 2) * side).round().astype(int).tolist()
    return Crop(varied.x + x, varied.y + y, varied.width, varied.height)
