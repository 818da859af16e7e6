"""A seamless square of cloth, from which the maps are made, and where it lies in the photo."""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric.flash_relief import Slopes
from fabric.frame import Frame
from fabric.quality import PhotoQuality
from fabric.rectify import Outline
from fabric.repeat import Repeat
from fabric.white import WhitePoint


@dataclass(frozen=True)
class Tile:
    """Its pixels, and what was measured on the way to them.

    albedo: (N, N, 3) float32 linear RGB. opacity: (N, N) float32, 0 to 1, None without holes.
    cut: (N, N) bool, the pixels along the seam.
    frame: the tile's position in the flat cloth. repeats: of that cloth, along x and y.
    width: of the flat cloth in the frame's pixels, before it was cropped to a square.
    beside: as in `Region`. white: the colour that was made neutral, None if none was.
    outline: of the swatch; its corners are fractions of the upright photo's width and height.
    flatness: of its light before the correction.
    slopes: from a pair with and without flash, None without one. unpaired: the flash photo does not fit.
    larger: how many of the photo's pixels lie along one of the frame's.
    lobe: α of the flash's highlight, None where none is seen.
    motifs: whether the repeats are those of motifs, and not of the weave.
    misfit: of the two borders that overlap, see `seam.misfit`.
    to_photo: 3×3 from the tile's pixels, before it was rolled by `begin` (rows, columns), to fractions of the
        upright photo's width and height.
    """

    albedo: np.ndarray
    cut: np.ndarray
    frame: Frame
    width: int
    repeats: tuple[Repeat | None, Repeat | None]
    outline: Outline | None
    photo: PhotoQuality
    flatness: float
    to_photo: np.ndarray
    begin: tuple[int, int]
    larger: float
    misfit: float
    opacity: np.ndarray | None = None
    beside: str | None = None
    white: WhitePoint | None = None
    slopes: Slopes | None = None
    unpaired: bool = False
    lobe: float | None = None
    motifs: bool = False

    @property
    def corners(self) -> list[list[float]]:
        """Its corners in the upright photo, clockwise from the top left, as shares of the photo's sides."""
        side = len(self.albedo)
        corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float64) - 0.5
        found: np.ndarray = cv2.perspectiveTransform(corners[None], self.to_photo)[0]
        return found.round(5).tolist()


def repeat_counts(
    frame: Frame, repeats: tuple[Repeat | None, Repeat | None]
) -> tuple[int | None, int | None]:
    """How often the cloth repeats across and down the tile."""
    across, down = (
        round(float(np.linalg.norm(side)) / repeat.period) if repeat else None
        for side, repeat in zip((frame.across, frame.down), repeats, strict=True)
    )
    return across, down
