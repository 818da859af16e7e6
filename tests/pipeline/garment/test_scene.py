"""What the light reader sees of a scene."""

import numpy as np
import pytest

from pipeline.garment.crop import scene_around
from pipeline.garment.scene import NO_SCENE, PLANES, SIDE, see

HEIGHT, WIDTH = 300, 400


def dressed():
    """A frame in one colour with a half-transparent garment in its middle."""
    frame = np.full((HEIGHT, WIDTH, 3), (10, 20, 30), np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[120:220, 150:250] = 128
    colour = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colour[mask > 0] = (100, 50, 25)  # premultiplied: (199, 100, 50) by itself
    return frame, colour, mask


def plane(scene, name):
    return scene[0, PLANES.index(name)]


def test_the_planes_are_camera_garment_and_coverage_in_rgb():
    scene, window = see(*dressed(), np.zeros((33, 4), np.float32))
    assert scene.shape == (1, len(PLANES), SIDE, SIDE)
    assert scene.dtype == np.float32
    assert [round(255 * plane(scene, f"camera {name}").max()) for name in ("red", "green", "blue")] == [
        30,
        20,
        10,
    ]
    middle = np.s_[SIDE // 2, SIDE // 2]
    found = [255 * plane(scene, f"garment {name}")[middle] for name in ("red", "green", "blue")]
    assert found == pytest.approx([50, 100, 199], abs=1), "the render's own colour, not premultiplied"
    assert plane(scene, "coverage").max() == pytest.approx(128 / 255, abs=0.01)
    assert window[2] == window[3], "square"


def test_the_window_holds_the_garment_and_reaches_above_it():
    _, _, mask = dressed()
    window = scene_around(mask)
    assert window.x < 150
    assert window.x + window.width > 250
    above, below = 120 - window.y, window.y + window.height - 220
    assert above > below, "the face is above the garment"


def test_what_lies_beyond_the_frame_is_marked():
    frame, colour, mask = dressed()
    mask[:] = 255
    scene, window = see(frame, colour, mask, np.zeros((33, 4), np.float32))
    inside = plane(scene, "inside the frame")
    assert window[1] < 0
    assert set(np.unique(inside)) == {0, 1}
    assert inside.mean() == pytest.approx(WIDTH * HEIGHT / (window[2] * window[3]), abs=0.02)


def test_a_pose_marks_head_body_and_hands():
    points = np.zeros((33, 4), np.float32)
    places = {
        2: (0.52, 0.3),
        5: (0.48, 0.3),
        7: (0.55, 0.31),
        8: (0.45, 0.31),
        9: (0.51, 0.37),
        10: (0.49, 0.37),
    }
    places |= {
        11: (0.62, 0.42),
        12: (0.38, 0.42),
        13: (0.65, 0.6),
        14: (0.35, 0.6),
        15: (0.6, 0.75),
        16: (0.4, 0.75),
    }
    places |= {
        15: (0.6, 0.6),
        17: (0.6, 0.66),
        19: (0.59, 0.67),
        21: (0.57, 0.65),
        23: (0.58, 0.8),
        24: (0.42, 0.8),
    }
    for number, (x, y) in places.items():
        points[number] = (x, y, 0, 1)
    scene, _ = see(*dressed(), points)
    for name in ("head", "body", "hands"):
        assert 0.001 < plane(scene, name).mean() < 0.8, name
    points[11] = np.nan
    scene, _ = see(*dressed(), points)
    assert not plane(scene, "body").any(), "without shoulders nobody is tracked"


def test_none_is_smaller_than_any_scene():
    assert NO_SCENE.shape == (1, len(PLANES), 1, 1)
