"""The memory that the exported networks take, as the export measured it from their graphs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# A guided job has two rows, so no denoiser's engine can do with less.
_LEAST_ROWS = 2


@dataclass(frozen=True)
class Row:
    """bytes: of all networks together at this resolution, while the denoiser has `batch` rows."""

    height: int
    width: int
    batch: int
    bytes: int


@dataclass(frozen=True)
class MemoryTable:
    """rows: one for each resolution and batch; never empty."""

    rows: Sequence[Row]

    @property
    def least(self) -> Row:
        """What must fit: one guided job at the largest resolution."""
        return max((row for row in self.rows if row.batch == _LEAST_ROWS), key=lambda row: row.bytes)

    @property
    def most(self) -> int:
        """The largest batch in the table."""
        return max(row.batch for row in self.rows)

    def largest_batch(self, memory: int) -> int:
        """The largest batch that fits into so many bytes at every resolution; 0 if none does."""
        too_large = [row.batch for row in self.rows if row.bytes > memory]
        fitting = {row.batch for row in self.rows if row.batch < min(too_large, default=self.most + 1)}
        return max(fitting, default=0)


def read_memory(repository: Path) -> MemoryTable | None:
    """The table in the manifest; None if it has none, as those of older exports."""
    try:
        found = json.loads((repository / "manifest.json").read_text())["memory"]["rows"]
        rows = [Row(it["resolution"][0], it["resolution"][1], it["batch"], it["bytes"]) for it in found]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return MemoryTable(rows) if any(row.batch == _LEAST_ROWS for row in rows) else None
