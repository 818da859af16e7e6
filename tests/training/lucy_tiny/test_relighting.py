import numpy as np

from training.lucy_tiny.relighting import relight

COMPOSITE = np.random.default_rng(0).integers(60, 140, (96, 96, 3), dtype=np.uint8)
MASK = np.zeros((96, 96), np.uint8)
MASK[24:72, 24:72] = 255
INSIDE = MASK == 255


def test_the_served_relighting_keeps_the_weave_and_takes_the_light():
    darker = COMPOSITE.copy()
    darker[INSIDE] = COMPOSITE[INSIDE] // 2
    relit = relight(darker, COMPOSITE, MASK, 4.0)
    np.testing.assert_allclose(relit[INSIDE].mean(), darker[INSIDE].mean(), rtol=0.05)
    assert np.corrcoef(relit[INSIDE].ravel(), COMPOSITE[INSIDE].ravel())[0, 1] > 0.95


def test_outside_the_mask_nothing_changes():
    relit = relight(np.zeros_like(COMPOSITE), COMPOSITE, MASK, 4.0)
    assert (relit[MASK == 0] == COMPOSITE[MASK == 0]).all()
