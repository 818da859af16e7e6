"""The poses of a film's frames: JSON lines, one of them for each frame or with a `time` in seconds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from frontend_proxy.errors import InvalidInput
from frontend_proxy.parsing import parse_json
from frontend_proxy.pose import read_pose

MAX_LINES = 20_000


@dataclass(frozen=True)
class Poses:
    """lines: each with its time, or None for that of its number."""

    lines: tuple[tuple[float | None, Any], ...] = ()

    @classmethod
    def read(cls, text: bytes | None) -> "Poses":
        """Raises InvalidInput, which names the line."""
        rows = (text or b"").splitlines()
        if len(rows) > MAX_LINES:
            raise InvalidInput(f"poses: has more than {MAX_LINES} lines")
        lines = []
        for number, row in enumerate(rows, 1):
            if not row.strip():
                continue
            try:
                pose = parse_json(row)
            except ValueError as error:
                raise InvalidInput(f"poses: line {number} is not JSON: {error}") from error
            time = pose.get("time") if isinstance(pose, dict) else None
            if time is not None and not isinstance(time, int | float):
                raise InvalidInput(f"poses: line {number}: time must be seconds, not {time!r}")
            lines.append((time, pose))
        if any(time is None for time, _ in lines) and any(time is not None for time, _ in lines):
            raise InvalidInput("poses: either all lines have a time, or none has one")
        return cls(tuple(lines))

    def at(self, frame: int, seconds: float, size: tuple[int, int]) -> tuple[np.ndarray | None, str | None]:
        """Of frame number `frame`, from 0 on: as `read_pose`. None where no line is about it.

        size: (width, height) of the frame.
        """
        if not self.lines:
            return None, None
        if self.lines[0][0] is None:
            return read_pose(self.lines[frame][1], lambda: size) if frame < len(self.lines) else (None, None)
        before = [pose for time, pose in self.lines if time is not None and time <= seconds + 1e-3]
        return read_pose(before[-1], lambda: size) if before else (None, None)
