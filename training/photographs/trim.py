"""Seams, pockets, buttons and zips, drawn on the atlas of a jacket's cloth."""

import cv2
import numpy as np

from training.photographs.cloths import ATLAS_METRES
from training.photographs.cuts import Cut
from training.photographs.jacket import Jacket

SIDE = 1024
_METRE = SIDE / ATLAS_METRES


def draw_trim(jacket: Jacket, cut: Cut, lapels: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE) uint8, the factor of the cloth's colour; 128 is 1. lapels: their atlas coordinates."""
    trim = np.full((SIDE, SIDE), 128, np.uint8)
    body = jacket.pieces[0]
    rows = jacket.body_rows
    uv = body.uv[:rows] * SIDE
    dark, thin = int(rng.uniform(70, 105)), 1

    def line(a: np.ndarray, b: np.ndarray, value: int = dark, width: int = thin) -> None:
        cv2.line(
            trim,
            tuple(np.rint(a).astype(int).tolist()),
            tuple(np.rint(b).astype(int).tolist()),
            value,
            width,
            cv2.LINE_AA,
        )

    bottom, top = uv[0, 0, 1], uv[-1, 0, 1]
    left, right = uv[0, 0, 0], uv[0, -1, 0]  # the front edges: of the person's left, and right
    height = top - bottom
    for edge, inward in ((left, 1), (right, -1)):
        x = edge + inward * 0.012 * _METRE
        line(np.array([x, bottom]), np.array([x, top]))
    if not cut.rib:
        y = bottom + 0.025 * _METRE
        line(np.array([left, y]), np.array([right, y]))
    for share in (0.25, 0.75):  # side seams
        x = left + share * (right - left)
        line(np.array([x, bottom]), np.array([x, bottom + 0.62 * height]))
    line(np.array([(left + right) / 2, bottom]), np.array([(left + right) / 2, top]))
    for grid in lapels:  # a line where each lapel ends, outside and at its notch
        outer = grid[:, -1] * 0.93 + grid[:, 0] * 0.07
        for a, b in zip(outer[:-1] * SIDE, outer[1:] * SIDE, strict=True):
            line(a, b)
    _pockets(trim, cut, left, right, bottom, height, dark)
    value = int(rng.choice([25, 40, 220]))
    if cut.closure == "zip":
        for edge, inward in ((left, 1), (right, -1)):
            x = edge + inward * 0.004 * _METRE
            line(np.array([x, bottom]), np.array([x, top]), int(rng.choice([40, 230])), 2)
    else:
        low = bottom + (0.28 if cut.collar == "lapel" else 0.06) * height
        high = bottom + (cut.button if cut.front == "vee" else 0.92) * height
        count = 2 if cut.collar == "lapel" else int(rng.integers(4, 7))
        for y in np.linspace(min(low, high), high, count):
            cv2.circle(
                trim,
                (round(left + 0.022 * _METRE), round(y)),
                max(2, round(0.009 * _METRE)),
                value,
                -1,
                cv2.LINE_AA,
            )
    for piece in jacket.pieces[1:]:
        own = piece.uv * SIDE
        y = own[-1, 0, 1] - 0.03 * _METRE
        if not cut.rib:
            line(np.array([own[0, 0, 0], y]), np.array([own[0, -1, 0], y]))
    return trim


def _pockets(
    trim: np.ndarray, cut: Cut, left: float, right: float, bottom: float, height: float, dark: int
) -> None:
    def box(x0: float, y0: float, x1: float, y1: float) -> None:
        corners = np.rint([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]).astype(np.int32)
        cv2.polylines(trim, [corners[:, None]], True, dark, 1, cv2.LINE_AA)

    for edge, inward in ((left, 1), (right, -1)):
        near, far = edge + inward * 0.075 * _METRE, edge + inward * 0.20 * _METRE
        if cut.pockets == "flap":
            y = bottom + 0.27 * height
            box(near, y, far, y + 0.045 * _METRE)
            if inward == 1:
                y = bottom + 0.68 * height
                box(edge + 0.1 * _METRE, y, edge + 0.19 * _METRE, y + 0.02 * _METRE)
        elif cut.pockets == "patch":
            y = bottom + 0.58 * height
            near, far = edge + inward * 0.06 * _METRE, edge + inward * 0.165 * _METRE
            box(near, y, far, y + 0.12 * _METRE)
            box(near, y + 0.085 * _METRE, far, y + 0.12 * _METRE)
        elif cut.pockets == "slant":
            y = bottom + 0.2 * height
            a = (round(edge + inward * 0.1 * _METRE), round(y + 0.13 * _METRE))
            b = (round(edge + inward * 0.15 * _METRE), round(y))
            cv2.line(trim, a, b, dark, 2, cv2.LINE_AA)
