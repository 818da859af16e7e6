import cv2
import numpy as np
import pytest

from pipeline.garment.pose import HANDS
from pipeline.garment.visibility import PLANES, SIDE, UNKNOWN
from training.lucy_tiny.scenes import make_scene
from training.visible_garment import composing
from training.visible_garment.composing import cropped, make_sample
from training.visible_garment.occluders import with_fingers, with_hair
from training.visible_garment.scenes import Scene


@pytest.fixture(scope="module")
def scene():
    """One with a hand on the jacket."""
    for seed in range(9_000_000, 9_000_050):
        made = make_scene(seed, 192)
        render, visible = made.render, made.mask
        hidden = (render[..., 3] > 250) & (visible < 5)
        palms = [made.landmarks[list(hand), :2].mean(axis=0) * 192 for hand in HANDS]
        if any(0 <= x < 192 and 0 <= y < 192 and hidden[int(y), int(x)] for x, y in palms):
            return Scene(
                np.ascontiguousarray(made.frame[..., ::-1]),
                np.ascontiguousarray(render[..., [2, 1, 0, 3]]),
                visible,
                made.landmarks,
            )
    raise AssertionError("no hand in 50 scenes")


@pytest.fixture
def plain(monkeypatch):
    """Neither fingers nor hair are added."""
    monkeypatch.setattr(composing, "_FINGERS", 0)
    monkeypatch.setattr(composing, "_HAIR", 0)


@pytest.mark.parametrize(("opaque", "seed"), [(0, 1), (0, 2), (1, 3), (1, 4)])
def test_a_sample_is_what_the_server_would_see(scene, monkeypatch, opaque, seed):
    monkeypatch.setattr(composing, "_OPAQUE", opaque)
    sample = make_sample(scene, np.random.default_rng(seed))
    assert (sample.planes.shape, sample.planes.dtype) == ((SIDE, SIDE, PLANES), np.uint8)
    alpha = sample.planes[..., 6]
    if opaque:
        assert (alpha == UNKNOWN).all()
        assert sample.drawn_weight.min() >= 1
    else:
        assert np.array_equal(alpha, sample.drawn)
        assert not sample.drawn_weight.any()
    assert not sample.visible_weight[sample.drawn == 0].any(), "where no garment is drawn, none can be hidden"
    assert sample.visible_weight.any()


def test_mirroring_keeps_the_hands_with_their_pictures(scene, plain, monkeypatch):
    """A landmark that was mirrored without its picture would teach that hands are elsewhere."""
    monkeypatch.setattr(composing, "_OPAQUE", 0)
    monkeypatch.setattr(composing, "_LOST", 0)
    seen = 0
    for seed in range(12):
        sample = make_sample(scene, np.random.default_rng(seed))
        hidden = (sample.visible < 30) & (sample.drawn > 200)
        if hidden.sum() < 40:
            continue
        seen += 1
        hands = cv2.dilate(sample.planes[..., 8], np.ones((41, 41))) > 0
        head = cv2.dilate(sample.planes[..., 9], np.ones((61, 61))) > 0
        assert (hidden & (hands | head)).sum() > 0.6 * hidden.sum()
    assert seen > 3


def test_a_part_keeps_its_pixels_together(scene):
    rng = np.random.default_rng(0)
    sample = make_sample(scene, rng)
    part = cropped(sample, 96, rng)
    assert part.planes.shape == (96, 96, PLANES)
    assert part.visible.shape == part.drawn_weight.shape == (96, 96)
    places = cv2.matchTemplate(sample.planes[..., :3].copy(), part.planes[..., :3].copy(), cv2.TM_SQDIFF)
    left, top = cv2.minMaxLoc(places)[2]
    assert np.array_equal(sample.visible[top : top + 96, left : left + 96], part.visible)


@pytest.mark.parametrize("change", [with_fingers, with_hair])
def test_what_is_drawn_before_the_garment_hides_it(scene, change):
    changed = [change(scene, np.random.default_rng(seed)) for seed in range(4)]
    assert any((one.visible < scene.visible).any() for one in changed)
    for one in changed:
        assert (one.visible <= scene.visible).all()
        same = (one.frame == scene.frame).all(axis=2)
        assert same[one.visible == scene.visible].mean() > 0.8
        assert np.array_equal(one.render, scene.render)
