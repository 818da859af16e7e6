"""The shape on which a pack shows its cloth: a square piece that lies in a soft wave, at its real size."""

from dataclasses import dataclass

import numpy as np

SIDE_M = 0.3
_STEPS = 96
_STEEPEST = 0.3  # radians; enough for a highlight and a sheen to wander over the cloth
_WAVES = 1.5


@dataclass(frozen=True)
class Swatch:
    """positions (N, 3) in metres, Y up, resting on 0. normals (N, 3). tangents (N, 4), as glTF has them.
    uv: (N, 2), 0 to 1 over the piece, v downwards. triangles: (M, 3)."""

    positions: np.ndarray
    normals: np.ndarray
    tangents: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray


def make_swatch() -> Swatch:
    """Bent along one axis only, so that the cloth is nowhere stretched: uv are lengths on it."""
    along = np.linspace(0, 1, _STEPS + 1)
    angle = _STEEPEST * np.sin(2 * np.pi * _WAVES * along)
    z, y = (_integrated(values) * SIDE_M / _STEPS for values in (np.cos(angle), np.sin(angle)))
    z, y = z - (z[0] + z[-1]) / 2, y - y.min()
    left_right = np.tile([0.0, 1.0], len(along))  # two vertices in each row
    rows = np.repeat(np.column_stack([y, z, np.cos(angle), -np.sin(angle), along]), 2, axis=0)
    flat = np.zeros(len(rows))
    positions = np.column_stack([SIDE_M * (left_right - 0.5), rows[:, 0], rows[:, 1]])
    normals = np.column_stack([flat, rows[:, 2], rows[:, 3]])
    tangents = np.tile([1.0, 0, 0, 1], (len(rows), 1))
    first = 2 * np.arange(_STEPS)[:, None]
    triangles = np.concatenate([first + np.array(corners) for corners in ([0, 2, 1], [1, 2, 3])])
    uv = np.column_stack([left_right, rows[:, 4]])
    return Swatch(positions, normals, tangents, uv, triangles)


def _integrated(values: np.ndarray) -> np.ndarray:
    """The sum up to each value, by the trapezoidal rule."""
    return np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2)])
