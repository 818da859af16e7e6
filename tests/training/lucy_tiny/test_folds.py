import numpy as np

from training.lucy_tiny.folds import crease, fan, sleeve_folds, torso_folds


def test_sharp_creases_are_narrow():
    phase = np.linspace(0, 1, 1000)
    round_fold, sharp = crease(phase, 1), crease(phase, 3)
    assert np.ptp(round_fold) > 0.99
    assert (sharp > 0).mean() < 0.7 * (round_fold > 0).mean()


def test_a_fan_starts_at_nothing_and_ends():
    s, t = np.array([[0.0, 0.15, 3.0]]), np.zeros((1, 3))
    heights = fan(s, t, (0, 0), 8, 0.3, np.zeros((1, 3)), 1, 0)
    assert heights[0, 0] == 0
    assert heights[0, 1] > 0.03
    assert abs(heights[0, 2]) < 1e-9


def test_a_bent_sleeve_creases_on_the_inside():
    a, q = np.broadcast_arrays(np.linspace(0.7, 1.3, 200)[:, None], np.array([[-0.7, 0.7]]))
    rng = np.random.default_rng(0)
    heights = sleeve_folds(a, q, bend=1.5, noise=np.zeros(a.shape), rng=rng, sharpness=1.5)
    assert np.ptp(heights[:, 1]) > 1.5 * np.ptp(heights[:, 0])


def test_no_two_jackets_fold_alike():
    s, t = np.meshgrid(np.linspace(-0.5, 0.5, 40), np.linspace(0, 1.2, 40))
    noise = np.zeros(s.shape)
    one, other = (torso_folds(s, t, 0.7, True, noise, np.random.default_rng(i), 1.5) for i in (0, 1))
    assert np.abs(one - other).max() > 1e-3
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.3  # yet a model can learn where they belong
