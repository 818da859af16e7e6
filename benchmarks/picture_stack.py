"""The shipped checkpoint on the real Triton: a moving sequence, a still one, a capture."""

from pathlib import Path

import cv2
import numpy as np

from benchmarks import picture_metrics as metrics
from benchmarks.picture_cases import SIZE, bgr, encode
from export.lucy_tiny.scenes import Scene
from tests.stack import running_stack
from tests.tryon_client import Tryon

_FRAMES = 8
_NOISE = 2.0  # grey levels of a webcam in a lit room


async def through_the_stack(scenes: list[Scene], folder: Path) -> tuple[dict, list[list[np.ndarray]]]:
    """Figures over `scenes`, and pictures: frame, composite, keyframe, capture, photograph."""
    with running_stack(folder) as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        async with Tryon.connect(stack.triton_grpc) as tryon:
            return await _measure(tryon, scenes)


async def _measure(tryon: Tryon, scenes: list[Scene]) -> tuple[dict, list[list[np.ndarray]]]:
    flickers, details, still, rows = [], [], [], []
    for number, scene in enumerate(scenes):
        answers, frames, masks, motions = [], [], [], []
        for step in range(_FRAMES):
            motion = _sway(step)
            inputs, frame, mask = _moved(scene, motion, np.random.default_rng([number, step]))
            result = await tryon.dress(inputs, output_format="png", outputs=("image", "report"))
            answers.append(cv2.imdecode(result["image"], cv2.IMREAD_COLOR))
            frames.append(frame)
            masks.append(mask)
            motions.append(_between(_sway(step - 1), motion))
        flickers.append(metrics.flicker(answers, motions, masks) / metrics.flicker(frames, motions, masks))
        inputs, frame, mask = _moved(scene, _sway(0), np.random.default_rng(0))
        pair = [await tryon.dress(inputs) for _ in range(2)]
        still.append(bool(np.array_equal(pair[0]["image"], pair[1]["image"])))
        capture = await tryon.dress(inputs, "capture", steps=25, outputs=("image", "report", "composite"))
        picture = cv2.imdecode(capture["image"], cv2.IMREAD_COLOR)
        inside = cv2.erode(mask, np.ones((9, 9), np.uint8)) > 250
        details.append(metrics.detail_ratio(picture, capture["composite"], inside))
        live = cv2.imdecode(pair[0]["image"], cv2.IMREAD_COLOR)
        rows.append([frame, capture["composite"], live, picture, bgr(scene.target)])
    figures = {
        "flicker": round(float(np.mean(flickers)), 3),
        "flicker_by_scene": [round(value, 3) for value in flickers],
        "static_identical": all(still),
        "capture_detail": round(float(np.mean(details)), 3),
    }
    return figures, rows


def _sway(step: int) -> np.ndarray:
    """Someone who sways a little: (2, 3), pixels of the frame at rest to those of this step."""
    x, y, angle = 6 * np.sin(0.8 * step), 2 * np.sin(0.5 * step), 0.8 * np.sin(0.6 * step)
    matrix = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1]), angle, 1 + 0.01 * np.sin(0.4 * step))
    return matrix + np.array([[0, 0, x], [0, 0, y]])


def _between(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    square = [np.vstack([m, (0, 0, 1)]) for m in (now, before)]
    return (square[0] @ np.linalg.inv(square[1]))[:2]


def _moved(scene: Scene, motion: np.ndarray, rng: np.random.Generator) -> tuple[dict, np.ndarray, np.ndarray]:
    """The scene under `motion`, as a client sends it; the frame and the true mask."""

    def move(picture: np.ndarray, border: int) -> np.ndarray:
        return cv2.warpAffine(picture, motion, SIZE, flags=cv2.INTER_LINEAR, borderMode=border)

    frame = move(bgr(scene.frame), cv2.BORDER_REPLICATE)
    frame = np.rint(frame + rng.normal(0, _NOISE, frame.shape)).clip(0, 255).astype(np.uint8)
    points = scene.landmarks.copy()
    points[:, :2] = ((points[:, :2] * SIZE) @ motion[:, :2].T + motion[:, 2]) / SIZE
    render = move(bgr(scene.render), cv2.BORDER_CONSTANT)
    inputs = {
        "camera_frame": encode(frame, ".jpg"),
        "jacket_render": encode(render, ".png"),
        "pose": points.astype(np.float32),
    }
    decoded = cv2.imdecode(inputs["camera_frame"], cv2.IMREAD_COLOR)
    return inputs, decoded, move(scene.mask, cv2.BORDER_CONSTANT)
