"""Fourier transforms of real pictures in single precision: OpenCV's, or NumPy's where that is slow.

OpenCV sums each other factor than 2, 3 and 5 by its definition: 397 products for each value of a side of 397
pixels. NumPy's is in double precision: a third as fast as OpenCV's for 1024 pixels, for every side.
SciPy's would do for all, but nothing else that serves needs its 113 MiB.
"""

import cv2
import numpy as np


def smooth_size(side: int) -> int:
    """The largest side up to this one whose transforms are fast: a product of 2, 3 and 5."""
    return next(size for size in range(side, 0, -1) if cv2.getOptimalDFTSize(size) == size)


def rfft2(values: np.ndarray) -> np.ndarray:
    """The spectrum (H, W // 2 + 1) complex64 of values (H, W), as `numpy.fft.rfft2` orders it."""
    if not _suits_opencv(values.shape):
        return np.fft.rfft2(values).astype(np.complex64)
    whole = cv2.dft(np.asarray(values, np.float32), flags=cv2.DFT_COMPLEX_OUTPUT).view(np.complex64)
    return whole[:, : values.shape[1] // 2 + 1, 0]


def irfft2(spectrum: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The values (H, W) float32 of that spectrum; shape: H, W."""
    if not _suits_opencv(shape):
        return np.fft.irfft2(spectrum, s=shape).astype(np.float32)
    # OpenCV reads no more than this half, but wants the place of both.
    whole = np.zeros((*shape, 2), np.float32)
    whole.view(np.complex64)[:, : spectrum.shape[1], 0] = spectrum
    return cv2.dft(whole, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)


def correlation(values: np.ndarray) -> np.ndarray:
    """The cyclic autocorrelation (H, W) float32 of values (H, W): sums of products; shift 0 is first."""
    if not _suits_opencv(values.shape):
        spectrum = np.fft.rfft2(values)
        power = spectrum.real**2 + spectrum.imag**2
        return np.fft.irfft2(power, s=values.shape).astype(np.float32)
    packed = cv2.dft(np.asarray(values, np.float32))
    power = cv2.mulSpectrums(packed, packed, 0, conjB=True)
    return cv2.dft(power, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)


def _suits_opencv(shape: tuple[int, ...]) -> bool:
    return all(cv2.getOptimalDFTSize(side) == side for side in shape)
