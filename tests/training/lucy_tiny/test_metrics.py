import cv2
import numpy as np

from training.lucy_tiny.metrics import edge_ring, gradient_energy, oracle_gain, psnr, sharpness, ssim

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(20, 120, (64, 64, 3), dtype=np.uint8)
WHERE = np.zeros((64, 64), bool)
WHERE[16:48, 16:48] = True


def test_psnr_of_a_known_error():
    shifted = PICTURE + np.uint8(10)
    assert abs(psnr(shifted, PICTURE, WHERE) - 10 * np.log10(255**2 / 100)) < 1e-6


def test_only_the_selected_pixels_count():
    other = PICTURE.copy()
    other[~WHERE] = 255
    assert psnr(other, PICTURE, WHERE) > 100
    assert ssim(PICTURE, PICTURE, WHERE) > 0.999


def test_the_oracle_knows_the_gain():
    target = (PICTURE * np.array((2.0, 1.0, 0.5))).astype(np.uint8)
    assert psnr(oracle_gain(PICTURE, target, WHERE), target, WHERE) > 50


def test_the_ring_lies_inside_the_edge():
    ring = edge_ring(WHERE.astype(np.uint8) * 255, width=4)
    assert ring.sum() == 32 * 32 - 24 * 24
    assert not ring[~WHERE].any()


def test_a_blurred_picture_is_less_sharp():
    soft = cv2.GaussianBlur(PICTURE, (3, 3), 0.6)
    assert sharpness(soft, WHERE) < 0.5 * sharpness(PICTURE, WHERE)


def test_more_contrast_is_more_gradient():
    strong = (PICTURE.astype(int) * 2).astype(np.uint8)
    assert gradient_energy(strong, WHERE) > 3 * gradient_energy(PICTURE, WHERE)
