"""benchmarks/results/<date>-<machine>.json: raw measurements, from which all tables and plots are made."""

import json
import os
import re
from datetime import datetime
from pathlib import Path

from benchmarks.provenance import cpu_name, provenance

FOLDER = Path(__file__).resolve().parents[1] / "results"


class Record:
    """A file of sections, each measured by one command. Measuring a section again replaces it.

    It is written after every measurement, so that an interrupted run keeps its results.
    """

    def __init__(self, path: Path):
        self.path = path
        self.sections: dict[str, dict] = json.loads(path.read_text()) if path.exists() else {}

    @classmethod
    def of_today(cls, folder: Path = FOLDER) -> "Record":
        return cls(folder / f"{datetime.now():%Y-%m-%d}-{slug(cpu_name())}-{os.cpu_count()}-cores.json")

    @classmethod
    def newest(cls, folder: Path = FOLDER) -> "Record":
        """The record of `folder` that was measured last. Raises FileNotFoundError if nothing has been."""
        records = cls._all(folder)
        if not records:
            raise FileNotFoundError(f"no measurement in {folder}: run `make bench-quick` first")
        return max(records, key=lambda record: max(it["began"] for it in record.sections.values()))

    @classmethod
    def last_with(cls, section: str, folder: Path) -> "Record | None":
        """The record whose `section` was measured last; None if none has it."""
        records = [record for record in cls._all(folder) if section in record.sections]
        return max(records, key=lambda record: record.sections[section]["began"], default=None)

    @classmethod
    def _all(cls, folder: Path) -> "list[Record]":
        return [cls(path) for path in folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-*.json")]

    def begin(self, section: str, **fields: object) -> dict:
        """Start a section, with its provenance."""
        self.sections[section] = {**provenance(), **fields}
        return self.sections[section]

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.sections, indent=1)
        # A list of figures on one line, so that diffs are readable.
        text = re.sub(r"\[[\s\d.,\-]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
        self.path.write_text(text + "\n")


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
