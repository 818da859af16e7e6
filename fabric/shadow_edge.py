"""Where exactly a shadow's edge lies: a coarse grid misses a hard edge by a pixel, which leaves a line."""

import cv2
import numpy as np

from fabric.shadow import Shadow, log_light

_BAND = 0.035  # of the longer side, to either side of the line
_BIN = 0.0006
_TURNS = np.linspace(-0.012, 0.012, 9)  # radians
_MOVES = np.arange(-0.012, 0.0121, 0.0006)
_WIDTHS = np.array([0.0004, 0.0008, 0.0015, 0.003, 0.005, 0.008])

Array = np.ndarray


def sharpened(shadow: Shadow, linear: Array) -> Shadow:
    """The shadow with its direction, place and width from the mean brightness across its edge in full detail.

    linear: (H, W, 3) of one even cloth.
    """
    height, width = linear.shape[:2]
    longer = max(height, width)
    grey = np.log(np.maximum(cv2.cvtColor(linear, cv2.COLOR_RGB2GRAY), 1e-3))
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2) / longer
    x = (np.arange(width, dtype=np.float32)[None] + 0.5 - width / 2) / longer
    near = np.abs(x * shadow.normal[0] + y * shadow.normal[1] - shadow.offset) < _BAND + 0.01
    rows, columns = np.nonzero(near)
    values, py, px = grey[near], y[rows, 0], x[0, columns]
    count = int(2 * _BAND / _BIN)
    middles = (np.arange(count) + 0.5) * _BIN - _BAND
    across = np.clip((middles - _MOVES[:, None]) / _WIDTHS[:, None, None], -30, 30)  # (widths, moves, bins)
    share = 1 / (1 + np.exp(across))
    models = log_light(share.reshape(-1, count), shadow.depth).mean(axis=-1).reshape(share.shape)
    angle = float(np.arctan2(shadow.normal[1], shadow.normal[0]))
    lowest, best = np.inf, shadow
    for turn in _TURNS:
        normal = (float(np.cos(angle + turn)), float(np.sin(angle + turn)))
        bins = ((px * normal[0] + py * normal[1] - shadow.offset + _BAND) / _BIN).astype(np.int32)
        inside = (bins >= 0) & (bins < count)
        weight = np.bincount(bins[inside], minlength=count)
        if (weight < 8).any():
            continue
        profile = np.bincount(bins[inside], values[inside], minlength=count) / weight
        rest = profile - models
        rest -= rest.mean(axis=-1, keepdims=True)
        cost = (rest**2).sum(axis=-1)
        i, j = np.unravel_index(int(cost.argmin()), cost.shape)
        if cost[i, j] < lowest:
            lowest = float(cost[i, j])
            best = Shadow(normal, shadow.offset + float(_MOVES[j]), float(_WIDTHS[i]), shadow.depth)
    return best
