from pathlib import Path

import cv2
import numpy as np
import pytest

from frontend_proxy.answer_schemas import KeyframeResult
from frontend_proxy.keyframes.similar_frames import MAX_AGE_S, Scene, SimilarFrameCache
from frontend_proxy.keyframes.thumbnails import Thumbnails, frame_thumbnail, render_thumbnail

FOLDER = Path(__file__).parents[2] / "data" / "keyframes" / "transparent_off_body"
FRAME = cv2.imread(str(FOLDER / "camera_frame.jpg")).astype(np.float32)
RENDER = cv2.imread(str(FOLDER / "jacket_render.png"), cv2.IMREAD_UNCHANGED)
JACKET = np.s_[380:460, 860:960]  # of the frame: the render draws the chest there
POSE = np.full((33, 4), 0.5, np.float32) + np.arange(33, dtype=np.float32)[:, None] / 100
POSE[:, 3] = 0.95
ANSWER = KeyframeResult(mode="ai_enhanced", image=b"dressed", timestamp=1, request_id="r")
NOISE = np.random.default_rng(0)


def scene(frame=FRAME, render=RENDER, pose=POSE, choices=("denim-blue", 7)) -> Scene:
    """As a webcam sends it: with noise, as a JPEG."""
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
def cache() -> SimilarFrameCache:
    cache = SimilarFrameCache()
    cache.put(scene(), ANSWER, now=100.0)
    return cache


def jacket_is_where_the_tests_say() -> bool:
    alpha = cv2.resize(RENDER[:, :, 3], FRAME.shape[1::-1])
    return bool(alpha[JACKET].mean() > 128)


def test_camera_noise_is_not_a_change(cache: SimilarFrameCache) -> None:
    assert jacket_is_where_the_tests_say()
    assert cache.get(scene(), now=101.0) is ANSWER
    assert cache.get(scene(pose=moved(0.005)), now=101.0) is ANSWER


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
def test_a_change_is_not_answered_from_the_cache(cache: SimilarFrameCache, change: dict[str, object]) -> None:
    assert cache.get(scene(**change), now=101.0) is None


def test_changes_outside_the_garment_do_not_count_while_the_person_does_not_move(
    cache: SimilarFrameCache,
) -> None:
    passer_by = painted(np.s_[:, :500], 60)
    assert cache.get(scene(frame=passer_by), now=101.0) is ANSWER


def test_without_a_pose_the_whole_frame_is_compared() -> None:
    """Nothing else tells that the face has not moved."""
    cache = SimilarFrameCache()
    cache.put(scene(pose=None), ANSWER, now=100.0)
    assert cache.get(scene(pose=None), now=101.0) is ANSWER
    assert cache.get(scene(pose=None, frame=painted(np.s_[:, :500], 60)), now=101.0) is None


@pytest.mark.parametrize("pose", [POSE, None], ids=["pose", "no pose"])
@pytest.mark.parametrize("grey", [0, 12, 60])
@pytest.mark.parametrize("where", [JACKET, np.s_[:, :500]], ids=["jacket", "passer-by"])
def test_the_frame_alone_decides_as_frame_and_render_would(pose: object, grey: float, where: object) -> None:
    """`frame_matches` is an early exit, and must not change the outcome."""
    cache = SimilarFrameCache()
    cache.put(scene(pose=pose), ANSWER, now=100.0)
    now = scene(pose=pose, frame=painted(where, grey))
    assert now.thumbnails is not None
    assert cache.frame_matches(now.thumbnails.frame) == (cache.get(now, now=101.0) is ANSWER)


def test_no_frame_matches_a_scene_without_thumbnails() -> None:
    cache = SimilarFrameCache()
    frame = frame_thumbnail((FOLDER / "camera_frame.jpg").read_bytes())
    assert not cache.frame_matches(frame)
    cache.put(Scene(("denim-blue", 7), POSE), ANSWER, now=100.0)
    assert not cache.frame_matches(frame)


def test_a_slow_drift_is_noticed(cache: SimilarFrameCache) -> None:
    """Each frame is close to the one before, but the cached answer belongs to the first."""
    held = [
        cache.get(scene(frame=painted(JACKET, grey)), now=101.0) is ANSWER for grey in np.arange(0, 15, 1.0)
    ]
    assert held[0]
    assert not held[-1]


def test_an_answer_expires(cache: SimilarFrameCache) -> None:
    assert cache.get(scene(), now=100.0 + MAX_AGE_S) is ANSWER
    assert cache.get(scene(), now=100.1 + MAX_AGE_S) is None


def test_a_scene_without_thumbnails_is_never_answered_from_the_cache(cache: SimilarFrameCache) -> None:
    blind = Scene(("denim-blue", 7), POSE)
    assert cache.may_match(blind)
    assert cache.get(blind, now=101.0) is None
    cache.put(blind, ANSWER, now=101.0)
    assert cache.get(scene(), now=102.0) is None
    assert not SimilarFrameCache().may_match(blind)
