"""Where exactly a shadow's edge lies: a coarse grid misses a hard edge by a pixel, which leaves a line."""

import cv2
import numpy as np

from fabric.shadow import Shadow, axes, log_of_mean

_BAND = 0.035  # of the longer side, to either side of the line
_PLACES = 116  # across the line
_SECTIONS = 16  # along the line
_FEWEST = 256  # pixels of a quarter of the band
_ROUNDS = 10
_SMALL = 1e-4
_SETTLED = 1e-6  # radians, and of the longer side: thousandths of a pixel
_MOST_TURN, _MOST_MOVE = 0.03, 0.015  # radians, and of the longer side: what a coarse grid may be wrong by
_WIDTHS = 0.0004, 0.012

Array = np.ndarray


def sharpened(shadow: Shadow, linear: Array) -> Shadow:
    """The shadow with its direction, place and width as they fit best to the brightness near its edge.

    linear: (H, W, 3) of one even cloth. By Gauss and Newton's method, together with the shadow's depth and a
    slow change of the light; the shadow as it was if that leads away from it.
    """
    sections = _sections(shadow, linear)
    if sections is None:
        return shadow
    values, weight, lies = sections
    places = ((np.arange(_PLACES) + 0.5) / _PLACES * 2 - 1) * _BAND

    def dark(turn: float, move: float, width: float) -> Array:
        across = (places + lies[:, None] * np.sin(turn) + shadow.offset * (np.cos(turn) - 1) - move) / width
        return log_of_mean(1 / (1 + np.exp(np.clip(across, -30, 30))), shadow.depth)[0]

    turn, move, width = 0.0, 0.0, min(max(shadow.width, 0.003), _WIDTHS[1])
    light = [np.broadcast_to(one, values.shape) for one in (1.0, places, lies[:, None])]
    for _ in range(_ROUNDS):
        here = dark(turn, move, width)
        changes = [
            (dark(*moved) - here) / _SMALL
            for moved in (
                (turn + _SMALL, move, width),
                (turn, move + _SMALL, width),
                (turn, move, width * (1 + _SMALL)),
            )
        ]
        terms = np.stack([*changes, here, *light])
        products = np.einsum("asp,bsp->ab", terms * weight, terms)
        products += 1e-9 * np.trace(products) * np.eye(len(terms))
        step = np.linalg.solve(products, np.einsum("asp,sp->a", terms, weight * values))
        deep = max(float(step[3]), 0.3)
        turn += float(np.clip(step[0] / deep, -0.005, 0.005))
        move += float(np.clip(step[1] / deep, -0.003, 0.003))
        width = float(np.clip(width * np.exp(np.clip(step[2] / deep, -0.5, 0.5)), *_WIDTHS))
        if abs(turn) > _MOST_TURN or abs(move) > _MOST_MOVE:
            return shadow
        if max(abs(step[0]), abs(step[1])) < _SETTLED * deep:
            break
    angle = float(np.arctan2(shadow.normal[1], shadow.normal[0])) + turn
    return Shadow((float(np.cos(angle)), float(np.sin(angle))), shadow.offset + move, width, shadow.depth)


def _sections(shadow: Shadow, linear: Array) -> tuple[Array, Array, Array] | None:
    """The logarithm of the brightness near the line, the mean of each place across it and section along it.

    The means and their pixels' number, both (_SECTIONS, _PLACES), and where the sections lie along the line.
    None where too little of the line's surroundings is in the picture.
    """
    height, width = linear.shape[:2]
    y, x = axes(height, width)
    nx, ny = (np.float32(one) for one in shadow.normal)
    away = np.add.outer(y * ny - np.float32(shadow.offset), x * nx)
    near = np.flatnonzero(cv2.inRange(away, -_BAND, _BAND).view(bool))
    if len(near) < _FEWEST:
        return None
    colours = linear.reshape(1, -1, 3).take(near, axis=1)
    values = cv2.log(cv2.max(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), 1e-3)).ravel()
    rows, columns = np.divmod(near.astype(np.int32), np.int32(width))
    at = (y * nx).take(rows) - (x * ny).take(columns)
    farthest = float(cv2.norm(at, cv2.NORM_INF)) * 1.0001 + 1e-6
    section = (at * np.float32(_SECTIONS / 2 / farthest) + np.float32(_SECTIONS / 2)).astype(np.int32)
    place = ((away.take(near) + np.float32(_BAND)) * np.float32(_PLACES / 2 / _BAND)).astype(np.int32)
    index = section * np.int32(_PLACES) + cv2.min(place, _PLACES - 1).ravel()
    count, total = (
        np.bincount(index, part, minlength=_SECTIONS * _PLACES).reshape(_SECTIONS, _PLACES)
        for part in (None, values)
    )
    if (count.reshape(_SECTIONS, 4, -1).sum(axis=(0, 2)) < _FEWEST).any():  # on both sides, near and far
        return None
    return total / np.maximum(count, 1), count, ((np.arange(_SECTIONS) + 0.5) * 2 / _SECTIONS - 1) * farthest
