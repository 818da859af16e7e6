from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.light.session_light import (
    JUMP,
    NO_LIGHT,
    SLACK,
    SessionLights,
    View,
    moved,
    similarity,
)
from pipeline.session_cache import MAX_AGE_S

SIZE = (1280, 720)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def landmarks(*shoulders):
    """A pose of two shoulders, (x, y) in pixels."""
    pose = np.zeros((33, 4), np.float32)
    pose[[11, 12], :2] = np.divide(shoulders, SIZE)
    pose[[11, 12], 3] = 1
    return pose


def shifted(view, x):
    return replace(view, landmarks=landmarks(*(view.shoulders + np.array([x, 0]))))


VIEW = View(("denim", None, 7), SIZE, (400, 100, 512, 512), landmarks((760, 200), (560, 210)))
LIGHT = np.random.default_rng(0).normal(0, 0.3, (64, 64, 3)).astype(np.float32)
POINTS = st.tuples(st.floats(0, 2000), st.floats(0, 2000))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lights(clock):
    lights = SessionLights(3, clock)
    lights.keep("anna", VIEW, LIGHT)
    return lights


def test_without_motion_the_light_is_returned_bit_for_bit(lights):
    earlier = lights.earlier("anna", VIEW)
    assert np.array_equal(earlier[:, :, :3], LIGHT)
    assert (earlier[:, :, 3] == np.float32(SLACK)).all()


def test_one_session_never_sees_anothers_light(lights):
    assert lights.earlier("ben", VIEW) is NO_LIGHT
    assert lights.earlier(None, VIEW) is NO_LIGHT
    lights.keep("ben", VIEW, -LIGHT)
    assert np.array_equal(lights.earlier("anna", VIEW)[:, :, :3], LIGHT)
    assert np.array_equal(lights.earlier("ben", VIEW)[:, :, :3], -LIGHT)


@pytest.mark.parametrize(
    "view",
    [
        replace(VIEW, choices=("linen", None, 7)),
        replace(VIEW, choices=("denim", "in the rain", 7)),
        replace(VIEW, choices=("denim", None, 8)),
        replace(VIEW, size=(1280, 800), landmarks=VIEW.landmarks * np.float32([1, 0.9, 1, 1])),
        replace(VIEW, landmarks=np.zeros((33, 4), np.float32)),
        replace(VIEW, landmarks=np.full((33, 4), np.nan, np.float32)),
        replace(VIEW, landmarks=landmarks((560, 210), (760, 200))),  # a tracker that has swapped the sides
        shifted(VIEW, JUMP * 201),
    ],
    ids=["fabric", "prompt", "seed", "size", "no pose", "NaN", "swapped", "jump"],
)
def test_another_fabric_prompt_seed_or_size_has_no_earlier_light(lights, view):
    assert lights.earlier("anna", view) is NO_LIGHT


def test_the_slack_falls_with_the_motion(lights):
    slacks = [float(lights.earlier("anna", shifted(VIEW, x))[:, :, 3].max()) for x in (0, 20, 50, 90)]
    assert slacks == sorted(slacks, reverse=True)
    assert slacks[1] == pytest.approx(0.8 * SLACK, rel=0.01)


def test_a_session_is_over_after_a_while(lights, clock):
    clock.now = MAX_AGE_S
    assert lights.earlier("anna", VIEW) is not NO_LIGHT
    clock.now += 0.1
    assert lights.earlier("anna", VIEW) is NO_LIGHT
    assert len(lights) == 0


def test_the_least_recently_used_session_is_evicted(lights):
    for name in ("ben", "cleo", "anna", "dora"):
        lights.keep(name, VIEW, LIGHT)
    assert len(lights) == 3
    assert lights.earlier("ben", VIEW) is NO_LIGHT
    assert lights.earlier("anna", VIEW) is not NO_LIGHT


@settings(deadline=None)
@given(before=st.tuples(POINTS, POINTS), now=st.tuples(POINTS, POINTS))
def test_the_similarity_takes_the_shoulders_to_the_shoulders(before, now):
    before, now = np.array(before), np.array(now)
    assume(np.linalg.norm(before[1] - before[0]) > 1)
    matrix = similarity(before, now)
    found = before @ matrix[:2, :2].T + matrix[:2, 2]
    assert np.allclose(found, now, atol=1e-6)
    assert matrix[0, 0] == matrix[1, 1]
    assert matrix[0, 1] == -matrix[1, 0]


@settings(deadline=None)
@given(
    turn=st.floats(-0.3, 0.3),
    scale=st.floats(0.8, 1.25),
    x=st.floats(-40, 40),
    y=st.floats(-40, 40),
    left=st.integers(-60, 470),
    top=st.integers(-60, 190),
    right=st.integers(850, 1300),
    bottom=st.integers(520, 780),
)
def test_light_stays_on_the_same_spot_of_the_garment(turn, scale, x, y, left, top, right, bottom):
    """A spot of light that is some way from the shoulders is found at the same place by them, whatever the
    crop: a wrong pixel centre shows as half a pixel."""
    spin = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = VIEW.shoulders.mean(axis=0)

    def move(points):
        return (points - centre) @ spin.T + centre + (x, y)

    width, height = right - left, bottom - top
    now = replace(VIEW, crop=(left, top, width, height), landmarks=landmarks(*move(VIEW.shoulders)))
    spot = np.array([650.0, 350.0])
    turn = similarity(VIEW.shoulders, now.shoulders)
    found = moved(_bell(VIEW.crop, spot, 20), VIEW, now, turn, SLACK)[:, :, 0]
    moments = cv2.moments(found)
    seen = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    in_frame = (seen + 0.5) * (np.array([width, height]) / 128) + (left, top) - 0.5
    assert np.abs(in_frame - move(spot)).max() < 0.35


def _bell(crop, spot, sigma):
    """A bell of light around a spot of the frame, over a crop: (128, 128, 3)."""
    left, top, width, height = crop
    y, x = np.mgrid[:128, :128] + 0.5
    squared = (x * width / 128 + left - 0.5 - spot[0]) ** 2 + (y * height / 128 + top - 0.5 - spot[1]) ** 2
    return np.repeat(np.exp(-squared / (2 * sigma**2))[:, :, None], 3, axis=2).astype(np.float32)


def test_where_there_was_no_light_the_slack_is_zero(lights):
    beside = replace(VIEW, crop=(656, 100, 512, 512))  # half of it is beyond the crop of before
    earlier = lights.earlier("anna", beside)
    assert (earlier[:, :31, 3] > 0).all()
    assert (earlier[:, 33:] == 0).all()
