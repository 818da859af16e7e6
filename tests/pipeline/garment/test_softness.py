import numpy as np

from pipeline.garment.masking import find_garment
from pipeline.garment.pose import Pose
from pipeline.garment.softness import soften

SIZE = 64


def checks():
    """A garment of single-pixel checks on a transparent canvas, (64, 64, 4)."""
    canvas = np.zeros((SIZE, SIZE, 4), np.uint8)
    canvas[16:48, 16:48, 3] = 255
    canvas[16:48, 16:48, :3] = 90
    canvas[16:48:2, 16:48:2, :3] = canvas[17:48:2, 17:48:2, :3] = 150
    return canvas


def test_a_render_at_the_frames_own_scale_loses_its_edge_and_no_brightness():
    canvas = checks()
    soft = soften(canvas, 1.0)
    inner = np.s_[20:44, 20:44]
    assert soft[inner].std(axis=(0, 1))[0] < 0.8 * canvas[inner].std(axis=(0, 1))[0]
    assert abs(soft[inner].mean() - canvas[inner].mean()) < 1
    assert (soft[:15] == 0).all(), "nothing is drawn farther than a pixel beyond it"
    assert 0 < soft[16, 30, 3] < 255


def test_an_enlarged_render_stays_as_it_is():
    canvas = checks()
    assert soften(canvas, 1.33) is canvas


def test_a_garment_is_as_soft_as_its_canvas_is_small():
    """The same canvas on frames of its own size and of twice of it."""
    no_pose = np.zeros((33, 4), np.float32)
    for scale, softened in ((1, True), (2, False)):
        size = (scale * SIZE, scale * SIZE)
        garment = find_garment(checks(), np.zeros((*size, 3), np.uint8), Pose(no_pose, size))
        assert (garment.mask[scale * 16 + scale // 2, scale * 30] < 250) == softened
