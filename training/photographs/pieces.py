"""A jacket's pieces: grids of points."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Piece:
    """Points (rows, columns, 3), atlas coordinates (rows, columns, 2), the panel of each cell (rows − 1,
    columns − 1) and the bones that it may follow."""

    name: str
    points: np.ndarray
    uv: np.ndarray
    panels: np.ndarray
    closed: bool
