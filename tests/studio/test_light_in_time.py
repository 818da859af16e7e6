"""The compositor over time: lights that come late, another fabric, a lost pose, another size."""

from pathlib import Path

import numpy as np
import pytest

from tests.studio.test_light import FRAME, LAYER, light, png, pose

SEQUENCE = (Path(__file__).parent / "sequence.js").read_text()


@pytest.fixture(params=[True, False], ids=["webgl", "processor"])
def follow(open_studio, request):
    """Runs the steps of sequence.js."""
    page = open_studio("server")

    def follow(*steps):
        sent = {"frame": png(FRAME), "layer": png(LAYER), "steps": steps, "webgl": request.param}
        return page.evaluate(SEQUENCE, sent)

    return follow


@pytest.mark.sampled(1)
def test_a_light_of_an_older_keyframe_comes_late(follow):
    """As over two connections: what is shown is that of the newest keyframe."""
    newer, older = light(0.5, timestamp=2000), light(-0.5, timestamp=1000)
    seen = follow(
        {"draw": {}},
        {"take": newer, "wait": 5000},
        {"take": older, "wait": 5000},
        {"draw": {}, "wait": 5000},
        {"take": light(-0.5, timestamp=3000)},
        {"draw": {}, "wait": 5000},
    )
    assert [it["level"] > 150 for it in seen] == [False, True, False]
    assert seen[2]["level"] < 70


@pytest.mark.sampled(1)
def test_a_fabric_is_not_shown_in_the_light_of_another(follow):
    denim, leather = {"fabric_id": "denim-blue"}, {"fabric_id": "leather-black"}
    seen = follow(
        {"draw": denim},
        {"take": light(0.5, **denim), "wait": 5000},
        {"draw": denim, "wait": 5000},
        {"draw": leather, "wait": 20},  # at once the plain render
        {"take": light(0.5, **denim), "wait": 200},  # the answer to the last keyframe before the change
        {"draw": leather, "wait": 5000},
        {"take": light(-0.5, **leather)},
        {"draw": leather, "wait": 5000},
    )
    assert [it["lit"] for it in seen] == [False, True, False, False, True]
    assert [seen[number]["level"] for number in (0, 2, 3)] == [100, 100, 100]
    assert seen[1]["level"] > 150
    assert seen[4]["level"] < 70


@pytest.mark.sampled(1)
def test_a_picture_of_another_size_goes_on_in_the_same_light(follow):
    """A phone that is turned; also the canvas is resized."""
    seen = follow(
        {"draw": {}},
        {"take": light(0.5)},
        {"draw": {}, "wait": 5000},
        {"draw": {"width": 240, "height": 320}, "wait": 20},
        {"draw": {"width": 1280, "height": 720}, "wait": 20},
    )
    assert [it["size"] for it in seen] == [[320, 240], [320, 240], [240, 320], [1280, 720]]
    levels = [it["level"] for it in seen[1:]]
    assert min(levels) > 150
    assert max(levels) - min(levels) <= 3


@pytest.mark.sampled(1)
def test_the_pose_is_lost_and_found(follow):
    """The light stays where the shoulders were, and goes on with them when they are found again."""
    there, moved = pose((0.6, 0.4), (0.4, 0.4)), pose((0.65, 0.4), (0.45, 0.4))
    values = np.zeros((40, 40, 3), np.float32)
    values[:, :21], values[:, 21:] = 0.6, -0.6  # a border a little right of the middle
    seen = follow(
        {"draw": {"landmarks": there}},
        {"take": light(values, anchor=[[0.6, 0.4], [0.4, 0.4]])},
        {"draw": {"landmarks": there}, "wait": 5000},
        {"draw": {"landmarks": None}, "wait": 1000},
        {"draw": {"landmarks": moved}, "wait": 1000},
        {"draw": {"landmarks": pose((0.55, 0.4), (0.35, 0.4))}, "wait": 1000},
    )
    levels = [it["level"] for it in seen[1:]]
    assert levels[0] == levels[1] > 150
    assert levels[2] > 150
    assert levels[3] < 70


def body(width, hips):
    """Landmarks of a person with shoulders so wide, at 0.4 of the height, and hips at `hips`."""
    points = pose((0.5 + width / 2, 0.4), (0.5 - width / 2, 0.4))
    for number, x in ((23, 0.55), (24, 0.45)):
        points[number] = {"x": x, "y": hips, "visibility": 1}
    return points


@pytest.mark.sampled(1)
def test_who_turns_is_as_tall_as_before(follow):
    """Bright from a little below the middle. Who turns has narrower shoulders, and so has who goes away."""
    values = np.full((40, 40, 3), -0.6, np.float32)
    values[21:] = 0.6
    there = body(0.2, 0.8)
    anchor = [[0.6, 0.4], [0.4, 0.4]]
    seen = follow(
        {"draw": {"landmarks": there}},
        {"take": light(values, anchor=anchor)},
        {"draw": {"landmarks": there}, "wait": 5000},
        {"draw": {"landmarks": body(0.14, 0.8)}, "wait": 50},
        {"draw": {"landmarks": body(0.14, 0.68)}, "wait": 50},
        {"draw": {"landmarks": body(0.2, 0.68)}, "wait": 50},
    )
    levels = [it["level"] for it in seen[1:]]
    assert [level > 100 for level in levels] == [False, False, True, False], "there, turned, gone away, bent"


@pytest.mark.sampled(1)
def test_without_the_keyframes_own_pose_the_shoulders_tell_the_scale(follow):
    values = np.full((40, 40, 3), -0.6, np.float32)
    values[21:] = 0.6
    seen = follow(
        {"take": light(values, anchor=[[0.6, 0.4], [0.4, 0.4]])},
        {"draw": {"landmarks": body(0.14, 0.8)}, "wait": 5000},
    )
    assert seen[0]["level"] > 100
