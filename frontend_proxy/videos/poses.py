"""The poses of a film's frames: JSON lines, one of them for each frame or with a `time` in seconds."""

from dataclasses import dataclass

import numpy as np

from frontend_proxy.errors import InvalidInput
from frontend_proxy.parsing import MAX_LINES, line_breaks, parse_json
from frontend_proxy.pose import read_pose

MAX_BYTES = 32 * 2**20  # a minute of 120 frames a second has 20 MiB


@dataclass(frozen=True)
class Poses:
    """lines: each with its time, or None for that of its number; as text: its
    values would take several times the memory."""

    lines: tuple[tuple[float | None, bytes], ...] = ()

    @classmethod
    def read(cls, text: bytes | None) -> "Poses":
        """Raises InvalidInput, which names the line."""
        text = text or b""
        if len(text) > MAX_BYTES or line_breaks(text) > MAX_LINES:
            raise InvalidInput(f"poses: send at most {MAX_BYTES} bytes and {MAX_LINES} lines")
        rows = text.splitlines()
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
            lines.append((time, row))
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
            before = [row for _, row in self.lines[frame : frame + 1]]
        else:
            before = [row for time, row in self.lines if time is not None and time <= seconds + 1e-3]
        return read_pose(parse_json(before[-1]), lambda: size) if before else (None, None)
