"""The drawing that stands in for DensePose."""

import cv2
import numpy as np
import pytest

from families.idm_vton.body_parts import COLOURS, coloured, draw
from pipeline.garment.pose import Pose

SIZE = (300, 400)  # width, height
# Somebody who faces the camera: the left shoulder is on the right.
STANDING = {
    0: (0.5, 0.12), 2: (0.52, 0.11), 5: (0.48, 0.11), 7: (0.55, 0.12), 8: (0.45, 0.12),
    9: (0.52, 0.15), 10: (0.48, 0.15), 11: (0.62, 0.25), 12: (0.38, 0.25), 13: (0.68, 0.4),
    14: (0.32, 0.4), 15: (0.72, 0.52), 16: (0.28, 0.52), 17: (0.74, 0.56), 18: (0.26, 0.56),
    19: (0.73, 0.57), 20: (0.27, 0.57), 23: (0.57, 0.55), 24: (0.43, 0.55), 25: (0.58, 0.74),
    26: (0.42, 0.74), 27: (0.58, 0.92), 28: (0.42, 0.92), 31: (0.62, 0.97), 32: (0.38, 0.97),
}  # fmt: skip


def landmarks(points=STANDING):
    found = np.zeros((33, 4))
    for number, (x, y) in points.items():
        found[number] = x, y, 0, 0.99
    return found


def drawn(points=STANDING, window=(0, 0, *SIZE), size=SIZE):
    return draw(Pose(landmarks(points), SIZE), window, size)


def at(parts, x, y):
    return parts[round(y * parts.shape[0]), round(x * parts.shape[1])]


def centre(parts, number):
    """(x, y), as shares."""
    rows, columns = np.nonzero(parts == number)
    return columns.mean() / parts.shape[1], rows.mean() / parts.shape[0]


def test_a_standing_person_shows_the_front():
    parts = drawn()
    assert set(np.unique(parts)) == {0, 2, 3, 4, 5, 6, 9, 10, 13, 14, *range(15, 25)}
    assert at(parts, 0.5, 0.4) == 2
    # The person's right is on the left.
    for right, left in ((3, 4), (6, 5), (9, 10), (13, 14), (16, 15), (18, 17), (20, 19), (22, 21), (23, 24)):
        assert centre(parts, right)[0] < 0.5 < centre(parts, left)[0]
    # Arms hang with their inside towards the trunk.
    for inside, outside in ((15, 17), (16, 18), (19, 21), (20, 22)):
        assert abs(centre(parts, inside)[0] - 0.5) < abs(centre(parts, outside)[0] - 0.5)


def test_from_behind_it_is_the_back():
    mirrored = {number: (1 - x, y) for number, (x, y) in STANDING.items()}
    parts = drawn(mirrored)
    assert at(parts, 0.5, 0.4) == 1
    assert {7, 8, 11, 12} < set(np.unique(parts))
    assert not {9, 10, 13, 14} & set(np.unique(parts))


def test_what_is_not_seen_is_not_drawn():
    upper = {number: it for number, it in STANDING.items() if number < 23}
    parts = drawn(upper)
    assert not set(np.unique(parts)) & {5, 6, *range(7, 15)}
    assert at(parts, 0.5, 0.4) == 2, "the trunk ends at hips that are guessed"
    shoulders = {number: STANDING[number] for number in (11, 12)}
    assert set(np.unique(drawn(shoulders))) == {0, 2}


def test_without_a_pose_nothing_is_drawn():
    assert not drawn({}).any()
    assert not coloured(drawn({})).any()


def test_a_window_is_drawn_as_a_part_of_the_frame():
    whole = drawn()
    part = drawn(window=(75, 100, 150, 200), size=(150, 200))
    assert (part == whole[100:300, 75:225]).mean() > 0.99
    beyond = drawn(window=(-150, 0, 600, 400), size=(600, 400))
    assert (beyond[:, 150:450] == whole).mean() > 0.99
    assert not beyond[:, :100].any()


@pytest.mark.parametrize("number", range(25))
def test_the_colours_are_densepose_own(number):
    """Its fine segmentation is drawn with values of 255/24 for each part through OpenCV's map."""
    value = np.array([[int(number * 255 / 24)]], np.uint8)
    blue, green, red = cv2.applyColorMap(value, cv2.COLORMAP_PARULA)[0, 0].tolist()
    assert COLOURS[number].tolist() == ([0, 0, 0] if number == 0 else [red, green, blue])


def test_points_far_outside_are_no_error():
    far = STANDING | {13: (900.0, -5e6), 15: (np.inf, np.nan)}
    assert drawn(far).any()
