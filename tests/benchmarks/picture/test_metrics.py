"""The picture's metrics must fail on pictures that are wrong, or they prove nothing."""

import cv2
import numpy as np
import pytest

from benchmarks.picture import metrics
from benchmarks.picture.cases import cases
from benchmarks.picture.pipeline import dress, photographer


@pytest.fixture(scope="module")
def case():
    return next(case for case in cases(1) if case.name == "transparent")


@pytest.fixture(scope="module")
def dressed(case):
    return dress(case.camera_frame, case.jacket_render, case.pose, photographer(case.target))


def test_the_right_picture_passes(case, dressed):
    assert metrics.iou(dressed.garment.mask, case.mask) >= 0.95
    assert metrics.changed_share(dressed.answer, dressed.frame, dressed.garment.mask == 0) == 0
    assert metrics.edge_steepness(dressed.answer, case.mask) <= 1.1 * metrics.edge_steepness(
        case.target, case.mask
    )


def test_a_mask_shifted_by_eight_pixels_fails(case, dressed):
    assert metrics.iou(np.roll(dressed.garment.mask, 8, axis=1), case.mask) < 0.95


def test_a_colour_shift_of_ten_levels_fails(dressed):
    shifted = cv2.add(dressed.answer, (10, 10, 10, 0))
    assert metrics.changed_share(shifted, dressed.frame, dressed.garment.mask == 0) > 0.5


def test_a_garment_of_another_colour_fails(dressed):
    inside = dressed.garment.mask == 255
    other = dressed.answer.copy()
    other[inside] = np.roll(other[inside] // 2, 1, axis=1)
    assert metrics.colour_difference(other, dressed.answer, inside) > 6


def test_an_unfeathered_outline_fails(case, dressed):
    """The garment's colours right up to a binary outline, as if cut out with scissors."""
    inside, core = case.mask > 127, cv2.erode((case.mask > 250).astype(np.uint8), np.ones((5, 5), np.uint8))
    _, nearest = cv2.distanceTransformWithLabels(1 - core, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((nearest.max() + 1, 3), np.uint8)
    colours[nearest[core > 0]] = dressed.answer[core > 0]
    cut_out = dressed.frame.copy()
    cut_out[inside] = colours[nearest[inside]]
    assert metrics.edge_steepness(cut_out, case.mask) > 1.1 * metrics.edge_steepness(case.target, case.mask)


def test_blurred_cloth_fails(dressed):
    inside = cv2.erode(dressed.garment.mask, np.ones((9, 9), np.uint8)) > 250
    blurred = cv2.GaussianBlur(dressed.answer, (0, 0), 2)
    assert metrics.detail_ratio(blurred, dressed.answer, inside) < 0.6


def test_flicker_is_what_known_motion_does_not_explain():
    random = np.random.default_rng(0)
    still = cv2.GaussianBlur(random.integers(0, 256, (120, 160, 3), np.uint8), (0, 0), 2)
    mask = np.full((120, 160), 255, np.uint8)
    motions = [np.array([[1, 0, 3], [0, 1, 0]], np.float32)] * 3
    moving = [np.roll(still, 3 * step, axis=1) for step in range(3)]
    brighter = [cv2.add(picture, (6 * (step % 2),) * 3 + (0,)) for step, picture in enumerate(moving)]
    masks = [cv2.copyMakeBorder(mask[:, 20:-20], 0, 0, 20, 20, cv2.BORDER_CONSTANT)] * 3
    assert metrics.flicker(moving, motions, masks) < 0.5
    assert metrics.flicker(brighter, motions, masks) > 5
