"""The shipped checkpoint on the real Triton: a moving sequence, a still one, a capture."""

from pathlib import Path

import cv2
import numpy as np

from benchmarks.picture import metrics
from benchmarks.picture.cases import SIZE, bgr, encode
from tests.stack import running_stack
from tests.tryon_client import Tryon
from training.lucy_tiny.scenes import Scene

_FRAMES = 8
_NOISE = 2.0  # standard deviation in grey levels of a webcam in a lit room


async def through_the_stack(scenes: list[Scene], folder: Path) -> tuple[dict, list[list[np.ndarray]]]:
    """Figures over `scenes`, and the pictures: frame, composite, keyframe, capture, photograph."""
    with running_stack(folder) as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        async with Tryon.connect(stack.triton_grpc) as tryon:
            return await _measure(tryon, scenes)


async def _measure(tryon: Tryon, scenes: list[Scene]) -> tuple[dict, list[list[np.ndarray]]]:
    flickers, details, still, rows = [], [], [], []
    for number, scene in enumerate(scenes):
        session = f"scene {number}"
        seen: dict[str, list[np.ndarray]] = {"answer": [], "render": [], "photograph": [], "undressed": []}
        masks, motions = [], []
        for step in range(_FRAMES):
            motion, rng = _sway(step), np.random.default_rng([number, step])
            inputs = _moved(scene, motion, rng)
            result = await tryon.dress(
                inputs, session=session, output_format="png", outputs=("image", "report", "composite")
            )
            seen["answer"].append(_decode(result["image"]))
            seen["render"].append(result["composite"])
            seen["photograph"].append(_decode(_filmed(scene.target, motion, rng)))
            seen["undressed"].append(_decode(inputs["camera_frame"]))
            masks.append(_warp(scene.mask, motion, cv2.BORDER_CONSTANT))
            motions.append(_between(_sway(step - 1), motion))
        flickers.append({name: metrics.flicker(pictures, motions, masks) for name, pictures in seen.items()})
        inputs = _moved(scene, _sway(0), np.random.default_rng(0))
        pair = [await tryon.dress(inputs, session=session) for _ in range(2)]
        still.append(bool(np.array_equal(pair[0]["image"], pair[1]["image"])))
        capture = await tryon.dress(inputs, "capture", steps=25, outputs=("image", "report", "composite"))
        picture = _decode(capture["image"])
        inside = cv2.erode(_warp(scene.mask, _sway(0), cv2.BORDER_CONSTANT), np.ones((9, 9), np.uint8)) > 250
        details.append(metrics.detail_ratio(picture, capture["composite"], inside))
        rows.append(
            [
                _decode(inputs["camera_frame"]),
                capture["composite"],
                _decode(pair[0]["image"]),
                picture,
                bgr(scene.target),
            ]
        )
    figures = {
        "flicker_to_photograph": [round(f["answer"] / f["photograph"], 3) for f in flickers],
        "flicker_to_render": [round(f["answer"] / f["render"], 3) for f in flickers],
        "flicker_grey_levels": [{name: round(value, 3) for name, value in f.items()} for f in flickers],
        "static_identical": all(still),
        "capture_detail": round(float(np.mean(details)), 3),
    }
    return figures, rows


def _sway(step: int) -> np.ndarray:
    """The motion of a person who moves a little: a (2, 3) matrix from the first frame to this step's."""
    x, y, angle = 6 * np.sin(0.8 * step), 2 * np.sin(0.5 * step), 0.8 * np.sin(0.6 * step)
    matrix = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1]), angle, 1 + 0.01 * np.sin(0.4 * step))
    return matrix + np.array([[0, 0, x], [0, 0, y]])


def _between(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    square = [np.vstack([m, (0, 0, 1)]) for m in (now, before)]
    return (square[0] @ np.linalg.inv(square[1]))[:2]


def _moved(scene: Scene, motion: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The scene under `motion`, as a client sends it."""
    points = scene.landmarks.copy()
    points[:, :2] = ((points[:, :2] * SIZE) @ motion[:, :2].T + motion[:, 2]) / SIZE
    return {
        "camera_frame": _filmed(scene.frame, motion, rng),
        "jacket_render": encode(_warp(bgr(scene.render), motion, cv2.BORDER_CONSTANT), ".png"),
        "pose": points.astype(np.float32),
    }


def _filmed(picture: np.ndarray, motion: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An RGB picture under `motion` as a webcam sends it: a JPEG's bytes, (N,) uint8."""
    frame = _warp(bgr(picture), motion, cv2.BORDER_REPLICATE)
    noisy = np.rint(frame + rng.normal(0, _NOISE, frame.shape)).clip(0, 255).astype(np.uint8)
    return encode(noisy, ".jpg")


def _warp(picture: np.ndarray, motion: np.ndarray, border: int) -> np.ndarray:
    return cv2.warpAffine(picture, motion, SIZE, flags=cv2.INTER_LINEAR, borderMode=border)


def _decode(data: np.ndarray) -> np.ndarray:
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
