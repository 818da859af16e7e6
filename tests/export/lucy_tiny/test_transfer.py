import numpy as np

from export.lucy_tiny.transfer import transfer_light

RNG = np.random.default_rng(0)
COMPOSITE = RNG.integers(60, 140, (96, 96, 3), dtype=np.uint8)
MASK = np.zeros((96, 96), np.uint8)
MASK[24:72, 24:72] = 255


def test_no_new_light_changes_nothing():
    assert (np.abs(transfer_light(COMPOSITE, COMPOSITE, MASK).astype(int) - COMPOSITE) <= 1).all()


def test_light_is_taken_over_and_the_weave_stays():
    darker = (COMPOSITE * 0.5).astype(np.uint8)
    relit = transfer_light(darker, COMPOSITE, MASK)
    inside = MASK == 255
    np.testing.assert_allclose(relit[inside].mean(), darker[inside].mean(), rtol=0.03)
    weave = np.corrcoef(relit[inside].ravel(), COMPOSITE[inside].ravel())[0, 1]
    assert weave > 0.98


def test_outside_the_mask_nothing_changes():
    relit = transfer_light(np.zeros_like(COMPOSITE), COMPOSITE, MASK)
    assert (relit[MASK == 0] == COMPOSITE[MASK == 0]).all()


def test_what_is_outside_does_not_leak_in():
    """A bright wall behind a dark jacket would draw a halo along its edge."""
    picture = COMPOSITE.copy()
    picture[MASK == 0] = 255
    relit = transfer_light(picture, COMPOSITE, MASK)
    assert (np.abs(relit.astype(int) - COMPOSITE)[MASK == 255] <= 2).all()
