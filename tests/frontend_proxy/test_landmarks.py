import json
from collections.abc import Callable
from typing import Any

import pytest

from frontend_proxy import landmarks
from frontend_proxy.landmarks import find_marks, numbers
from frontend_proxy.parsing import parse_json
from tests.trials.client import POSES

POINTS: list[dict[str, float]] = POSES["good"]["landmarks"]
ALL = [(p["x"], p["y"], p["z"], p["visibility"]) for p in POINTS]
FLAT = [value for point in ALL for value in point]
PLACED = [{"position": {"x": x, "y": y, "z": z}, "score": v} for x, y, z, v in ALL]


@pytest.mark.parametrize(
    "pose",
    [
        {"landmarks": POINTS},
        POINTS,
        {"landmarks": [POINTS]},  # MediaPipe's tasks: a list for each person
        {"landmarks": [list(point) for point in ALL]},
        {"landmarks": dict(enumerate(POINTS))},
        {"landmarks": {str(number): point for number, point in enumerate(POINTS)}},
        {"landmarks": [{key.title(): value for key, value in p.items()} for p in POINTS]},
        {"landmarks": [{key: str(value) for key, value in p.items()} for p in POINTS]},
        {"poseLandmarks": POINTS, "poseWorldLandmarks": [[9, 9, 9]] * 33},
        {"pose_landmarks": {"landmark": POINTS}},
        {"keypoints": PLACED, "score": 0.9},
        [{"keypoints3D": [[9, 9, 9]] * 33, "keypoints": PLACED}],
        FLAT,
        {str(number): value for number, value in enumerate(FLAT)},  # a Float32Array in JSON
        json.dumps({"landmarks": POINTS}),
        {"landmarks": json.dumps(POINTS)},
        {"landmarks": [dict(enumerate(point)) for point in ALL]},
    ],
)
def test_the_same_points_in_each_shape(pose: Any) -> None:
    """An app that serialized its points in another way never got a picture."""
    marks = find_marks(pose)
    assert marks is not None
    assert numbers(marks) == ALL


@pytest.mark.parametrize(
    "pose", [[[x, y] for x, y, *_ in ALL], [[n, x, y] for n, (x, y, *_) in enumerate(ALL)]]
)
def test_two_numbers_are_x_and_y(pose: Any) -> None:
    marks = find_marks(pose)
    assert marks is not None
    assert numbers(marks) == [(x, y, 0.0, 1.0) for x, y, *_ in ALL]


def test_gaps_stay_in_their_places() -> None:
    marks = find_marks({"0": POINTS[0], "2": None, "3": {"x": None, "y": "a lot"}, "4": [0.5, 10**400]})
    assert marks is not None
    assert numbers(marks)[0] == ALL[0]
    assert numbers(marks)[1:4] == [(None,) * 4, (None,) * 4, (None, None, 0.0, 1.0)]
    assert numbers(marks)[4] == (0.5, float("inf"), 0.0, 1.0)


@pytest.mark.parametrize("depth", [100, 900])
def test_a_deep_pose_ends(depth: int) -> None:
    pose: Any = POINTS
    for _ in range(depth):
        pose = {"position": [pose]}
    assert find_marks(pose) is None


@pytest.mark.parametrize(
    "around", [lambda text: text, lambda text: {"landmarks": text}, lambda text: [text] * 3]
)
def test_a_long_text_is_not_parsed(around: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """30 MB of text in texts stopped the event loop for everyone."""
    parsed: list[int] = []

    def parse(text: str) -> object:
        parsed.append(len(text))
        return parse_json(text)

    monkeypatch.setattr(landmarks, "parse_json", parse)
    points = json.dumps([{"x": 0.5, "y": 0.5}] * 33)
    for short in (points, points.ljust(80_000)):
        assert find_marks(around(short))
    parsed.clear()
    assert find_marks(around(points.ljust(2**18 + 1))) is None
    assert not parsed
