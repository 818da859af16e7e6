"""Contact sheets: rows of pictures, each at the same height."""

from pathlib import Path

import cv2
import numpy as np

_HEIGHT = 270


def write_sheet(rows: list[list[np.ndarray]], path: Path) -> None:
    """rows: BGR uint8 pictures of any size."""
    lines = []
    for row in rows:
        shown = [
            cv2.resize(p, (round(p.shape[1] * _HEIGHT / p.shape[0]), _HEIGHT), interpolation=cv2.INTER_AREA)
            for p in row
        ]
        lines.append(np.hstack(shown))
    width = max(line.shape[1] for line in lines)
    lines = [cv2.copyMakeBorder(line, 0, 4, 0, width - line.shape[1], cv2.BORDER_CONSTANT) for line in lines]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(lines))
