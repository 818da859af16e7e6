import cv2
import numpy as np
import pytest

from pipeline.garment.registration import find_video, stretch
from tests.pipeline.garment.scenes import opaque_render, photograph


def laid(canvas_size, fit, frame):
    """`frame` on a canvas of that size, drawn with `fit`, the rest black."""
    width, height = canvas_size
    ratios = (width / frame.shape[1], height / frame.shape[0])
    scale = {"contain": min(ratios), "cover": max(ratios)}[fit]
    matrix = np.array([[scale, 0, (width - scale * frame.shape[1]) / 2],
                       [0, scale, (height - scale * frame.shape[0]) / 2]])  # fmt: skip
    return cv2.warpAffine(frame, matrix, canvas_size)


@pytest.mark.parametrize("plane", [1.0, 0.8, 0.65])
def test_a_stretched_plane_is_found_at_its_scale(plane):
    frame = photograph()
    render = opaque_render(frame, (960, 540), plane)[:, :, :3]
    found = find_video(render, frame)
    assert found.fit == ("stretch" if plane == 1 else "plane")
    corners = found.matrix @ np.array([[480, 270, 1], [480 - 480 * plane, 270, 1]]).T
    assert corners.T == pytest.approx(np.array([[320, 240], [0, 240]]), abs=2)


def test_the_black_around_a_plane_does_not_darken_the_frames_edge():
    frame = photograph()
    found = find_video(opaque_render(frame, (960, 540), 0.8)[:, :, :3], frame)
    assert found.fit == "plane"
    white = np.zeros((540, 960, 3), np.uint8)
    white[54:486, 96:864] = 255
    whole = found.warp(white, (640, 480))
    edges = whole[0], whole[-1], whole[:, 0], whole[:, -1]
    assert min(edge.min() for edge in edges) > 250
    assert np.array_equal(found.warp(white, (640, 480), (600, 300, 40, 180)), whole[300:, 600:])


@pytest.mark.parametrize("canvas", [(96, 54), (100, 77), (480, 270)])
@pytest.mark.parametrize("window", [(0, 0, 128, 72), (40, 10, 50, 41), (127, 71, 1, 1)])
def test_a_window_of_a_stretched_canvas_is_that_part_of_the_whole(canvas, window):
    picture = np.random.default_rng(0).integers(0, 256, (canvas[1], canvas[0], 3), np.uint8)
    x, y, width, height = window
    part = stretch(canvas, (128, 72)).warp(picture, (128, 72), window)
    whole = cv2.resize(picture, (128, 72), interpolation=cv2.INTER_LINEAR)
    assert np.abs(part.astype(int) - whole[y : y + height, x : x + width]).max() <= 1


@pytest.mark.parametrize("canvas", [(800, 400), (300, 500)])
def test_a_video_that_covers_the_canvas_is_found(canvas):
    """The canvas shows the middle of the frame, at the frame's own aspect."""
    frame = photograph()
    assert find_video(laid(canvas, "cover", frame), frame).fit == "contain"


@pytest.mark.parametrize("canvas", [(800, 400), (300, 500)])
def test_a_video_contained_in_the_canvas_is_found(canvas):
    frame = photograph()
    found = find_video(laid(canvas, "contain", frame), frame)
    assert found.fit in ("cover", "plane")
    assert np.abs(found.warp(laid(canvas, "contain", frame), (640, 480)).astype(int) - frame).mean() < 12


def test_another_picture_is_not_this_cameras_video():
    frame = photograph()
    assert find_video(frame[::-1, ::-1].copy(), frame) is None


def test_stretch_keeps_pixel_centres():
    """Half a pixel lost in the mapping shifts the garment when the canvas is much smaller."""
    gradient = np.tile(np.linspace(0, 252, 64, dtype=np.float32), (16, 1))
    doubled = stretch((64, 16), (128, 32)).warp(gradient, (128, 32))
    expected = cv2.resize(gradient, (128, 32), interpolation=cv2.INTER_LINEAR)
    assert np.abs(doubled - expected)[2:-2, 2:-2].max() < 0.1
