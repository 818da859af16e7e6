"""The shadow on one even cloth, fitted together with the slow variation of the light."""

from collections.abc import Callable
from itertools import chain

import cv2
import numpy as np

from fabric.shadow import MAX_TINT, MIN_STEP, Shadow, find_shadows

_EXPLAINED = 0.6  # what a shadow leaves of the variation that slow changes of light do not explain
_SURE = 0.15  # the same, where no other line needs to be tried
_SOFTENED = 0.57  # pixels: the scale of the curve that an edge has after reduction and blur
_LAMP = 1 / np.e - 1  # what a lamp that is darker by a factor of e adds to the light
_EVEN = 0.025  # deviation of the light without a shadow

Array = np.ndarray


def fit_shadow(log: Array, smooth: Array, likely: Shadow | None = None) -> Shadow | None:
    """The shadow on one even cloth, from the logarithm of its light (N, N, C); None where there is none.

    smooth: (N, N, K) a basis of the light's slow variation, fitted together with the shadow. likely: where
    one was seen before; only if it explains too little are others looked for. It is a shadow only if it
    explains most of what `smooth` alone does not; the edge of a print does not.
    """
    linear = np.exp(log)
    even = np.log(cv2.GaussianBlur(linear, (0, 0), 1.0))  # of light: logarithms' mean would move the edge
    step = max(1, len(log) // 42)
    even, smooth = even[::step, ::step], smooth[::step, ::step]
    basis = np.linalg.qr(smooth.reshape(even.shape[0] * even.shape[1], -1).astype(np.float64))[0]
    flat = even.reshape(len(basis), -1).astype(np.float64)
    # einsum: BLAS would start threads for these small products
    unexplained = flat - np.einsum("pk,kc->pc", basis, np.einsum("pk,pc->kc", basis, flat))
    before = float((unexplained**2).sum())
    if before < _EVEN**2 * unexplained.size:
        return None
    smooth_terms = basis.shape[1]
    targets = np.concatenate([basis, unexplained], axis=1).astype(np.float32)
    # Every `step`-th pixel, whose place is its own and not that of the pixels that are left out.
    y, x = (np.mgrid[: len(log) : step, : len(log) : step].astype(np.float32) + 0.5) / len(log) - 0.5
    places = np.stack([x.ravel(), y.ravel(), np.ones(x.size, np.float32)])

    def model(values: Array) -> tuple[Array, float]:
        """The best depth of each channel for (angle, offset, log width), and what remains unexplained."""
        soft = np.hypot(np.exp(min(max(values[2], -7), -1.5)), _SOFTENED / len(log))
        at = np.array([[np.cos(values[0]), np.sin(values[0]), -values[1]]], np.float32) / np.float32(soft)
        # OpenCV's products: BLAS would start threads. Its exponential and logarithm: NumPy's take longer.
        across = cv2.gemm(at, places, 1, None, 0)
        cv2.exp(cv2.min(cv2.max(across, -30.0, dst=across), 30.0, dst=across), dst=across)
        hidden = cv2.divide(_LAMP, cv2.add(across, 1.0, dst=across), dst=across)
        dark = cv2.log(cv2.add(hidden, 1.0, dst=hidden), dst=hidden)
        products = cv2.gemm(dark, targets, 1, None, 0)[0].astype(np.float64)
        # What `smooth` explains of the shadow itself is none of its depth.
        own = max(cv2.norm(dark, cv2.NORM_L2SQR) - float((products[:smooth_terms] ** 2).sum()), 1e-9)
        return products[smooth_terms:] / own, before - float((products[smooth_terms:] ** 2).sum()) / own

    best: Shadow | None = None
    left = _EXPLAINED * before
    for shadow in chain([likely] if likely else [], find_shadows(linear)):
        start = np.array(
            [np.arctan2(shadow.normal[1], shadow.normal[0]), shadow.offset, np.log(shadow.width)]
        )
        values = _descended(lambda at: model(at)[1], start)
        depth, remains = model(values)
        if remains < left and depth.mean() > MIN_STEP and np.ptp(depth) < MAX_TINT * depth.mean():
            left = remains
            normal = (float(np.cos(values[0])), float(np.sin(values[0])))
            best = Shadow(normal, float(values[1]), float(np.exp(np.clip(values[2], -7, -1.5))), depth)
            if left < _SURE * before:
                break
    return best


def _descended(cost: Callable[[Array], float], start: Array) -> Array:
    """`start` moved to a nearby minimum, one coordinate after the other with shrinking steps."""
    steps = np.array([0.06, 0.02, 0.7])
    values, lowest = start.astype(np.float64), cost(start)
    for _ in range(10):
        for axis in range(3):
            for sign in (1, -1):
                tried = values.copy()
                tried[axis] += sign * steps[axis]
                found = cost(tried)
                if found < lowest:
                    values, lowest = tried, found
                    break
        steps *= 0.7
    return values
