import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.lucy_tiny.anatomy import read_body
from training.lucy_tiny.cuts import sample_cut
from training.lucy_tiny.jackets import render_jacket

from .test_anatomy import facing_landmarks

SIZE = (320, 240)


def test_it_covers_the_trunk_and_little_else():
    render = render_jacket(facing_landmarks(), SIZE, (40, 60, 160), seed=1)
    assert render.shape == (240, 320, 4)
    assert render.dtype == np.uint8
    alpha = render[..., 3]
    trunk = read_body(facing_landmarks(), SIZE).at(0.3, 0.6).astype(int)
    assert alpha[trunk[1], trunk[0]] == 255
    assert 0.05 < (alpha > 127).mean() < 0.4
    assert not alpha[0].any()


def test_a_colour_is_the_cloths_colour():
    render = render_jacket(facing_landmarks(), SIZE, (40, 60, 160), seed=1)
    colour = np.median(render[render[..., 3] == 255][:, :3], axis=0)
    np.testing.assert_allclose(colour / colour.sum(), np.array((40, 60, 160)) / 260, atol=0.04)


def test_a_texture_is_seen():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, :32] = 255
    render = render_jacket(facing_landmarks(), SIZE, stripes, seed=1)
    cloth = render[render[..., 3] == 255][:, 0]
    assert (cloth < 60).mean() > 0.25
    assert (cloth > 150).mean() > 0.25


def test_seed_decides():
    first, again, other = (render_jacket(facing_landmarks(), SIZE, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_cuts_differ():
    cuts = [sample_cut(np.random.default_rng(seed)) for seed in range(40)]
    assert {cut.collar for cut in cuts} == {"lapels", "stand", "shirt", "hood", "none"}
    assert {cut.closure for cut in cuts} == {"buttons", "zip", "open", "plain"}


@settings(max_examples=15, deadline=None)
@given(
    arrays(np.float64, (33, 4), elements=st.floats(-1, 2)),
    st.tuples(st.integers(16, 200), st.integers(16, 200)),
)
def test_any_body_with_shoulders_gives_a_picture(landmarks, size):
    """Trackers send joints far outside the frame, and limbs of no length."""
    landmarks[[11, 12], 3] = 1
    landmarks[[11, 12], :2] = (0.7, 0.5), (0.3, 0.5)
    assert render_jacket(landmarks, size).shape == (size[1], size[0], 4)


def test_no_shoulders_no_jacket():
    with pytest.raises(ValueError, match="shoulders"):
        render_jacket(np.zeros((33, 4)), SIZE)
