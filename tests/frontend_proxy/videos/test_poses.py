"""The poses of a film, as text until a frame asks for one."""

import json

import numpy as np
import pytest

from frontend_proxy.errors import InvalidInput
from frontend_proxy.videos.poses import MAX_BYTES, Poses

LANDMARKS = [{"x": n / 100, "y": n / 50, "z": 0.0, "visibility": 1.0} for n in range(33)]
SIZE = (640, 360)


def line(x: float, **more: float) -> bytes:
    marks = [{**mark, "x": x} for mark in LANDMARKS]
    return json.dumps({"landmarks": marks, **more}).encode()


def x_of(found: tuple[np.ndarray | None, str | None]) -> float | None:
    pose, _ = found
    return None if pose is None else round(float(pose[0, 0]), 3)


def test_a_line_for_each_frame() -> None:
    poses = Poses.read(b"\n".join([line(0.1), b"null", line(0.3)]))
    assert [x_of(poses.at(frame, 0.0, SIZE)) for frame in range(4)] == [0.1, None, 0.3, None]


def test_lines_with_times() -> None:
    poses = Poses.read(b"\r\n".join([line(0.1, time=0.5), line(0.2, time=1.0)]))
    assert [x_of(poses.at(0, seconds, SIZE)) for seconds in (0.0, 0.5, 0.9, 2.0)] == [None, 0.1, 0.1, 0.2]


@pytest.mark.parametrize("text", [b"x\n" * 20_001, b" " * (MAX_BYTES + 1), b"null\nx"])
def test_what_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput, match="poses"):
        Poses.read(text)


def test_the_text_is_kept_not_its_values() -> None:
    """Lines of nested lists took 42 times their text, for as long as the film is made."""
    row = b"[" * 100 + b"]" * 100
    poses = Poses.read(b"\n".join([row] * 1000))
    assert all(isinstance(it, bytes) for _, it in poses.lines)
