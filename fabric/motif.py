"""Takes a print's own repeat out of the logarithm of a photo's brightness, so that what is left is light.

A print's dots vary far more than the light does, and hid a shadow's edge from whoever looked for one. What
repeats with the cloth is the print: the harmonics of its two periods, fitted by least squares.
"""

import numpy as np

_FINEST = 0.33  # cycles per pixel; the coarse picture has blurred what is finer

Array = np.ndarray
Cycles = tuple[float | None, float | None]


def without_motif(log: Array, cycles: Cycles) -> Array:
    """`log` (H, W, C) without what repeats `cycles` times (x, y) along its sides; its mean stays.

    None is an axis along which nothing repeats; stripes are the same all along it.
    """
    across, down = (_harmonics(count, side) for count, side in zip(cycles, log.shape[1::-1], strict=True))
    if across.shape[1] * down.shape[1] == 1:
        return log
    # einsum: BLAS would start threads for these small products
    weights = np.einsum("yj,yxc,xi->jic", down, log, across, optimize=True)
    weights[0, 0] = 0  # the mean
    fitted: Array = np.einsum("yj,jic,xi->yxc", down, weights, across, optimize=True)
    return log - fitted


def _harmonics(count: float | None, side: int) -> Array:
    """An orthonormal basis (side, K) of what repeats `count` times; its first column is constant."""
    at = (np.arange(side) + 0.5) / side
    columns = [np.ones(side)]
    highest = int(_FINEST * side / count) if count else 0
    for multiple in range(1, highest + 1):
        turn = 2 * np.pi * multiple * (count or 0) * at
        columns += [np.cos(turn), np.sin(turn)]
    basis: Array = np.linalg.qr(np.column_stack(columns))[0].astype(np.float32)
    return basis
