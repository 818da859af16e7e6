import numpy as np

from pipeline.garment.rise import rise


def test_it_rises_within_soft_of_the_middle():
    risen = rise(0.75, 0.1, np.arange(256))
    assert (risen[: round(0.65 * 255)] == 0).all()
    assert (risen[round(0.85 * 255) + 1 :] == 255).all()
    assert 120 <= risen[round(0.75 * 255)] <= 135
    assert (np.diff(risen.astype(int)) >= 0).all()
