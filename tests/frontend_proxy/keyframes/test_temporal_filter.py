from pathlib import Path

import cv2
import numpy as np
import pytest

from frontend_proxy.keyframes.temporal_filter import MAX_AGE_S, Scene, TemporalFilter
from frontend_proxy.keyframes.thumbnails import Thumbnails, frame_thumbnail, render_thumbnail
from frontend_proxy.schemas import KeyframeResult

FOLDER = Path(__file__).parents[2] / "data" / "keyframes" / "transparent_off_body"
FRAME = cv2.imread(str(FOLDER / "camera_frame.jpg")).astype(np.float32)
RENDER = cv2.imread(str(FOLDER / "jacket_render.png"), cv2.IMREAD_UNCHANGED)
JACKET = np.s_[380:460, 860:960]  # of the frame: the render draws the chest there
POSE = np.full((33, 4), 0.5, np.float32) + np.arange(33, dtype=np.float32)[:, None] / 100
POSE[:, 3] = 0.95
ANSWER = KeyframeResult(mode="ai_enhanced", image=b"dressed", timestamp=1, request_id="r")
NOISE = np.random.default_rng(0)


def scene(frame=FRAME, render=RENDER, pose=POSE, choices=("denim-blue", 7)) -> Scene:
    """As a webcam gives it: with noise, as a JPEG."""
    noisy = (frame + NOISE.normal(0, 4, frame.shape)).clip(0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    png = cv2.imencode(".png", render)[1].tobytes()
    return Scene(choices, pose, Thumbnails(frame_thumbnail(jpeg), render_thumbnail(png)))


def painted(where: object, grey: float) -> np.ndarray:
    frame = FRAME.copy()
    frame[where] += grey
    return frame


def moved(by: float) -> np.ndarray:
    pose = POSE.copy()
    pose[12, 0] += by
    return pose


@pytest.fixture
def last() -> TemporalFilter:
    last = TemporalFilter()
    last.remember(scene(), ANSWER, now=100.0)
    return last


def jacket_is_where_the_tests_say() -> bool:
    alpha = cv2.resize(RENDER[:, :, 3], FRAME.shape[1::-1])
    return bool(alpha[JACKET].mean() > 128)


def test_a_still_scene_is_still_under_a_camera_s_noise(last: TemporalFilter) -> None:
    assert jacket_is_where_the_tests_say()
    assert last.answer(scene(), now=101.0) is ANSWER
    assert last.answer(scene(pose=moved(0.005)), now=101.0) is ANSWER


@pytest.mark.parametrize(
    "change",
    [
        {"choices": ("linen-white", 7)},
        {"choices": ("denim-blue", 8)},
        {"pose": moved(0.02)},
        {"pose": None},
        {"pose": np.where(np.arange(4) == 3, 0, POSE)},
        {"frame": painted(JACKET, 12)},
        {"frame": np.roll(FRAME, 4, axis=1)},
        {"render": np.roll(RENDER, 2, axis=1)},
        {"render": (RENDER * (0.9, 1, 1, 1)).astype(np.uint8)},
        {"render": np.zeros_like(RENDER)},
    ],
    ids=[
        "fabric",
        "seed",
        "moved",
        "lost",
        "hidden",
        "lit",
        "shifted",
        "jacket moved",
        "jacket dyed",
        "gone",
    ],
)
def test_what_has_changed_is_answered_anew(last: TemporalFilter, change: dict[str, object]) -> None:
    assert last.answer(scene(**change), now=101.0) is None


def test_outside_the_garment_the_camera_may_change_while_the_person_does_not_move(
    last: TemporalFilter,
) -> None:
    passer_by = painted(np.s_[:, :500], 60)
    assert last.answer(scene(frame=passer_by), now=101.0) is ANSWER


def test_without_a_pose_the_whole_frame_must_hold() -> None:
    """Nothing else tells that the face has not moved."""
    last = TemporalFilter()
    last.remember(scene(pose=None), ANSWER, now=100.0)
    assert last.answer(scene(pose=None), now=101.0) is ANSWER
    assert last.answer(scene(pose=None, frame=painted(np.s_[:, :500], 60)), now=101.0) is None


@pytest.mark.parametrize("pose", [POSE, None], ids=["pose", "no pose"])
@pytest.mark.parametrize("grey", [0, 12, 60])
@pytest.mark.parametrize("where", [JACKET, np.s_[:, :500]], ids=["jacket", "passer-by"])
def test_the_frame_alone_tells_what_it_can(pose: object, grey: float, where: object) -> None:
    """Nothing that would be answered anew for the frame is held, and nothing that holds is refused."""
    last = TemporalFilter()
    last.remember(scene(pose=pose), ANSWER, now=100.0)
    now = scene(pose=pose, frame=painted(where, grey))
    assert now.thumbnails is not None
    assert last.frame_may_hold(now.thumbnails.frame) == (last.answer(now, now=101.0) is ANSWER)


def test_where_nobody_has_looked_before_no_frame_holds() -> None:
    last = TemporalFilter()
    frame = frame_thumbnail((FOLDER / "camera_frame.jpg").read_bytes())
    assert not last.frame_may_hold(frame)
    last.remember(Scene(("denim-blue", 7), POSE), ANSWER, now=100.0)
    assert not last.frame_may_hold(frame)


def test_a_slow_drift_is_noticed(last: TemporalFilter) -> None:
    """Each frame is close to the one before; the last answer is of the first."""
    held = [
        last.answer(scene(frame=painted(JACKET, grey)), now=101.0) is ANSWER for grey in np.arange(0, 15, 1.0)
    ]
    assert held[0]
    assert not held[-1]


def test_it_does_not_hold_for_ever(last: TemporalFilter) -> None:
    assert last.answer(scene(), now=100.0 + MAX_AGE_S) is ANSWER
    assert last.answer(scene(), now=100.1 + MAX_AGE_S) is None


def test_who_has_not_looked_does_not_know(last: TemporalFilter) -> None:
    blind = Scene(("denim-blue", 7), POSE)
    assert last.may_hold(blind)
    assert last.answer(blind, now=101.0) is None
    last.remember(blind, ANSWER, now=101.0)
    assert last.answer(scene(), now=102.0) is None
    assert not TemporalFilter().may_hold(blind)
