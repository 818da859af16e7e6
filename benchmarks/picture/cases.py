"""Generated webcam pictures of every kind that clients send, with the true garment and the photograph."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from benchmarks import portrait
from training.lucy_tiny.scenes import Scene, make_scene

SIZE = (1280, 720)  # of the camera's frame
_SEEDS = range(970_000, 970_200)  # not used in training
LOST = np.zeros((33, 4), np.float32)


@dataclass(frozen=True)
class Case:
    """What a client sends, and the ground truth. Pictures are BGR(A) uint8, masks (H, W) uint8.

    camera_frame, jacket_render: compressed bytes, (N,) uint8. pose: (33, 4); all zeros: tracking is lost.
    garment: the render as it appears on the frame. mask: its true mask, without hands and head.
    target: the photograph of the dressed person; None if there is none.
    least_iou: the lowest IoU allowed for the mask; None if there must be no mask.
    """

    name: str
    camera_frame: np.ndarray
    jacket_render: np.ndarray
    pose: np.ndarray
    garment: np.ndarray
    mask: np.ndarray
    target: np.ndarray | None
    least_iou: float | None


def cases(count: int) -> list[Case]:
    """Every kind of case on each of `count` scenes, and the portrait."""
    found = [portrait_case()]
    for scene in webcam_scenes(count):
        found += _of_scene(scene)
    return found


def webcam_scenes(count: int) -> list[Scene]:
    """Scenes on a webcam's frame, in which the whole jacket is visible."""
    found: list[Scene] = []
    for seed in _SEEDS:
        scene = make_scene(seed, SIZE[1])
        sides = np.concatenate([scene.mask[:, :8].ravel(), scene.mask[:, -8:].ravel()])
        if not sides.any() and 0.08 < (scene.mask > 127).mean() < 0.6:
            found.append(_widened(scene))
        if len(found) == count:
            break
    return found


def over_video(scene: Scene, canvas: tuple[int, int], plane: float, lag: float = 1.0) -> np.ndarray:
    """The jacket drawn over the video, which fills `plane` of an opaque black canvas: BGR. The video is
    shifted by `lag` pixels against the camera's frame, and compressed."""
    shift = np.array([[1, 0, lag], [0, 1, 0]], np.float32)
    video = cv2.warpAffine(bgr(scene.frame), shift, SIZE, borderMode=cv2.BORDER_REPLICATE)
    video = cv2.imdecode(cv2.imencode(".jpg", video, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR)
    share = scene.render[:, :, 3:].astype(np.float32) / 255
    drawn = np.rint(video + share * (bgr(scene.render[:, :, :3]) - video.astype(np.float32))).astype(np.uint8)
    picture = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    width, height = round(canvas[0] * plane), round(canvas[1] * plane)
    x, y = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    picture[y : y + height, x : x + width] = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
    return picture


def bgr(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3 or 4) RGB(A) ↔ BGR(A)."""
    return np.ascontiguousarray(rgb[:, :, [2, 1, 0, 3][: rgb.shape[2]]])


def _of_scene(scene: Scene) -> list[Case]:
    transparent = cv2.resize(_premultiplied(scene.render), (960, 540), interpolation=cv2.INTER_AREA)
    transparent = bgr(_unpremultiplied(transparent))
    moved = cv2.warpAffine(transparent, np.array([[1.03, 0, 30], [0, 1.03, -8]], np.float32), (960, 540))
    flat = np.full((540, 960, 3), (150, 60, 40), np.uint8)
    right = _case("transparent", scene, transparent, 0.95)
    return [
        right,
        replace(right, name="lost pose", pose=LOST),
        _case("misregistered 5 %", scene, moved, 0.85),
        _case("opaque over video", scene, over_video(scene, (960, 540), 1.0), 0.90),
        _case("opaque, plane of 0.8", scene, over_video(scene, (960, 540), 0.8), 0.90),
        _case("opaque, another aspect", scene, over_video(scene, (820, 640), 1.0), 0.90),
        _case("flat JPEG", scene, flat, None, ".jpg"),
        _two_people(scene),
    ]


def _shown(scene: Scene) -> np.ndarray:
    """The render as it appears on a canvas of three quarters of the frame's size: BGR."""
    small = cv2.resize(_premultiplied(scene.render), (960, 540), interpolation=cv2.INTER_AREA)
    return bgr(_unpremultiplied(cv2.resize(small, SIZE, interpolation=cv2.INTER_LINEAR))[:, :, :3])


def _two_people(scene: Scene) -> Case:
    """A second person at the side, who moves between the render's video and the camera's frame."""
    other = bgr(make_scene(_SEEDS[-1], 480).frame)[:, 120:360]
    frames = []
    for x in (20, 26):
        frame = scene.frame.copy()
        frame[-480:, x : x + 240] = other[:, :, ::-1]
        frames.append(frame)
    apart = replace(scene, frame=frames[0])
    render = over_video(apart, (960, 540), 1.0, lag=0)
    return _case("two people", replace(scene, frame=frames[1]), render, 0.90)


def portrait_case() -> Case:
    frame = bgr(portrait.frame())
    render = portrait.render()
    shown = cv2.resize(_premultiplied(render), frame.shape[1::-1], interpolation=cv2.INTER_AREA)
    return Case(
        "portrait",
        encode(frame, ".jpg"),
        encode(bgr(render), ".png"),
        portrait.landmarks(),
        bgr(_unpremultiplied(shown))[:, :, :3],
        shown[:, :, 3],
        None,
        0.95,
    )


def _case(name: str, scene: Scene, render: np.ndarray, least_iou: float | None, suffix: str = ".png") -> Case:
    return Case(
        name,
        encode(bgr(scene.frame), ".jpg"),
        encode(render, suffix),
        scene.landmarks,
        _shown(scene),
        scene.mask,
        bgr(scene.target),
        least_iou,
    )


def encode(picture: np.ndarray, suffix: str) -> np.ndarray:
    """A BGR(A) picture as a file's bytes: (N,) uint8."""
    return cv2.imencode(suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].reshape(-1)


def _widened(scene: Scene) -> Scene:
    """The square scene in the middle of a webcam's frame, with blurred sides."""
    side = (SIZE[0] - SIZE[1]) // 2

    def wide(picture: np.ndarray) -> np.ndarray:
        padded = cv2.copyMakeBorder(picture, 0, 0, side, side, cv2.BORDER_REPLICATE)
        blurred = cv2.blur(padded, (1, 61))
        blurred[:, side:-side] = picture
        return blurred

    def alone(picture: np.ndarray) -> np.ndarray:
        return cv2.copyMakeBorder(picture, 0, 0, side, side, cv2.BORDER_CONSTANT)

    landmarks = scene.landmarks.copy()
    landmarks[:, 0] = (landmarks[:, 0] * SIZE[1] + side) / SIZE[0]
    return replace(
        scene,
        frame=wide(scene.frame),
        target=wide(scene.target),
        render=alone(scene.render),
        mask=alone(scene.mask),
        landmarks=landmarks,
    )


def _premultiplied(render: np.ndarray) -> np.ndarray:
    share = render[:, :, 3:].astype(np.float32) / 255
    return np.rint(np.dstack([render[:, :, :3] * share, render[:, :, 3]])).astype(np.uint8)


def _unpremultiplied(render: np.ndarray) -> np.ndarray:
    share = np.maximum(render[:, :, 3:], 1).astype(np.float32) / 255
    return np.dstack([np.rint(render[:, :, :3] / share).clip(0, 255), render[:, :, 3]]).astype(np.uint8)
