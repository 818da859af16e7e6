import numpy as np
import pytest

from training.lucy_tiny.anatomy import along_limb, read_body, sample_landmarks, window_around


def facing_landmarks():
    marks = np.zeros((33, 4))
    marks[:, 3] = 1
    marks[[11, 12, 23, 24], :2] = (0.6, 0.4), (0.4, 0.4), (0.57, 0.75), (0.43, 0.75)
    marks[[13, 15], :2], marks[[14, 16], :2] = ((0.64, 0.6), (0.65, 0.75)), ((0.36, 0.6), (0.35, 0.75))
    marks[[0, 2, 5, 7, 8], :2] = (0.5, 0.22), (0.52, 0.2), (0.48, 0.2), (0.54, 0.21), (0.46, 0.21)
    return marks


def test_torso_coordinates_are_in_shoulder_widths():
    body = read_body(facing_landmarks(), (200, 100))
    s, t = body.torso_coordinates(np.array([120.0, 80.0, 100.0]), np.array([40.0, 40.0, 80.0]))
    np.testing.assert_allclose(s, [0.5, -0.5, 0], atol=1e-6)
    np.testing.assert_allclose(t, [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(body.at(0.5, 0), (120, 40))


def test_shoulders_are_needed():
    marks = facing_landmarks()
    marks[11, 3] = 0
    with pytest.raises(ValueError, match="shoulders"):
        read_body(marks, (200, 100))


@pytest.mark.parametrize("hip", [(0.5, 0.3), (1.4, 0.5), (np.nan, np.nan)])
def test_invented_hips_do_not_bend_the_body(hip):
    """A head-and-shoulders picture comes with hips anywhere, visibility 0.99."""
    marks = facing_landmarks()
    marks[[23, 24], :2] = hip
    np.testing.assert_allclose(read_body(marks, (200, 100)).down, (0, 1), atol=1e-6)


def test_arms_that_are_not_seen_hang():
    marks = facing_landmarks()
    marks[[13, 14, 15, 16], 3] = 0
    body = read_body(marks, (200, 100))
    assert body.left[1, 0] > body.left[0, 0] > body.right[0, 0] > body.right[1, 0]
    assert (np.diff(body.left[:, 1]) > 0).all()


def test_limb_coordinates():
    joints = np.array([(10.0, 0.0), (10.0, 50.0), (10.0, 100.0)])
    x, y = np.array([[10.0, 15.0, 10.0]]), np.array([[25.0, 50.0, 100.0]])
    a, q, r = along_limb(joints, np.array([10.0, 10.0, 5.0]), x, y)
    np.testing.assert_allclose(a, [[0.5, 1, 2]], atol=0.02)
    np.testing.assert_allclose(np.abs(q), [[0, 0.5, 0]], atol=0.02)
    np.testing.assert_allclose(r, [[10, 10, 5]], atol=0.1)


def test_sampled_people_differ_and_have_two_shoulders():
    one, other = (sample_landmarks(np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.allclose(one, other)
    for marks in (one, other):
        assert 0.8 < marks[11, 0] - marks[12, 0] <= 1.01


def test_a_window_off_the_canvas_is_none():
    assert window_around(np.array([(-50.0, -50.0)]), 10, (100, 100)) is None
