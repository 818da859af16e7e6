"""OpenCV's and NumPy's transforms against SciPy's, in double precision."""

import numpy as np
import pytest
from scipy import fft

from fabric import fourier

# Even and odd sides that suit OpenCV, and sides that do not, prime ones among them.
SHAPES = [(320, 320), (81, 75), (64, 45), (397, 397), (96, 97), (50, 22)]


@pytest.fixture(params=SHAPES, ids=str)
def values(request):
    return np.random.default_rng(0).normal(size=request.param).astype(np.float32)


def test_both_ways(values):
    expected = fft.rfft2(values.astype(np.float64))
    spectrum = fourier.rfft2(values)
    assert spectrum.dtype == np.complex64
    np.testing.assert_allclose(spectrum, expected, atol=1e-6 * np.abs(expected).max())
    back = fourier.irfft2(spectrum, values.shape)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, values, atol=1e-5)


def test_a_spectrum_that_no_picture_has(values):
    """A factor has made it complex where a picture's is real: the parts that count are the same."""
    spectrum = fft.rfft2(values) * np.complex64(0.6 + 0.8j)
    expected = fft.irfft2(spectrum, s=values.shape)
    np.testing.assert_allclose(fourier.irfft2(spectrum, values.shape), expected, atol=1e-5)


def test_correlation(values):
    power = np.abs(fft.rfft2(values.astype(np.float64))) ** 2
    expected = fft.irfft2(power, s=values.shape)
    found = fourier.correlation(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6 * expected.max())
