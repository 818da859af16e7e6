"""Contact sheets."""

from pathlib import Path

import cv2
import numpy as np


def write_sheet(rows: list[list[np.ndarray]], path: Path) -> None:
    """Pictures (H, W, 3) sRGB uint8 of one size, side by side and row under row, as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = np.vstack([np.hstack(row) for row in rows])
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise OSError(f"cannot write {path}")
