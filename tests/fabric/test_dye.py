import cv2
import numpy as np

from fabric.dye import without_steps

SIDE = 128


def light() -> np.ndarray:
    """The logarithm of a warm light from one side, (SIDE, SIDE, 3)."""
    y, x = np.mgrid[-1 : 1 : 1j * SIDE, -1 : 1 : 1j * SIDE]
    return (0.4 * x - 0.2 * y * y)[..., None] + 0.1 * x[..., None] * np.array([1, 0, -1])


def printed() -> np.ndarray:
    """Blots of two inks, denser on one side."""
    rng = np.random.default_rng(5)
    ink = np.zeros((4 * SIDE, 4 * SIDE, 3), np.float32)
    for number in range(60):
        place = 4 * SIDE * np.sqrt(rng.random(2))
        colour = ((-1.6, -0.4, -0.9), (-0.2, -1.4, -1.2))[number % 2]
        cv2.circle(ink, tuple(place.astype(int).tolist()), int(rng.uniform(16, 40)), colour, -1)
    return cv2.resize(ink, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def unlike(one: np.ndarray, other: np.ndarray) -> float:
    """The deviation of what a blur leaves of the difference, which is where the light is looked for."""
    return float((cv2.GaussianBlur(one - other, (0, 0), 10)).std(axis=(0, 1)).max())


def test_a_print_is_no_light() -> None:
    """The ground became pink and blue around dense flowers: their mean colour was taken for the light's."""
    photo = (light() + printed()).astype(np.float32)
    assert unlike(photo, light()) > 0.15
    assert unlike(without_steps(photo), light()) < 0.06


def test_light_alone_stays() -> None:
    photo = light().astype(np.float32)
    assert np.array_equal(without_steps(photo), photo)


def test_a_soft_shadow_stays() -> None:
    x = np.arange(SIDE)
    shadow = -0.8 / (1 + np.exp(-(x - 60) / 3))
    photo = np.broadcast_to(shadow[None, :, None] * np.array([1.05, 1, 0.93]), (SIDE, SIDE, 3))
    photo = photo.astype(np.float32)
    assert np.array_equal(without_steps(photo), photo)


def test_a_rough_texture_stays() -> None:
    """Sequins are steps everywhere, from which no light follows."""
    rng = np.random.default_rng(2)
    cells = np.repeat(np.repeat(rng.normal(0, 0.6, (32, 32, 3)), 4, 0), 4, 1).astype(np.float32)
    cells += rng.normal(0, 0.3, cells.shape).astype(np.float32)
    assert np.array_equal(without_steps(cells), cells)
