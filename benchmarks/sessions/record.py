"""benchmarks/results/<date>-<machine>.json: raw measurements, from which all tables and plots are made."""

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from serving.stages import runtime as cpu_stage

FOLDER = Path(__file__).resolve().parents[1] / "results"


class Record:
    """A file of sections, each measured by one command; a section that is measured anew replaces the old.

    It is written after every measurement, so that a run that is cut off leaves what it has.
    """

    def __init__(self, path: Path):
        self.path = path
        self.sections: dict[str, dict] = json.loads(path.read_text()) if path.exists() else {}

    @classmethod
    def of_today(cls, folder: Path = FOLDER) -> "Record":
        return cls(folder / f"{datetime.now():%Y-%m-%d}-{slug(cpu_name())}-{os.cpu_count()}-cores.json")

    @classmethod
    def newest(cls, folder: Path = FOLDER) -> "Record":
        """Raises FileNotFoundError where nothing has been measured."""
        found = sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-*.json"))
        if not found:
            raise FileNotFoundError(f"no measurement in {folder}: run `make bench-quick` first")
        return cls(found[-1])

    def begin(self, section: str, **fields: object) -> dict:
        """An empty section that says where it comes from."""
        self.sections[section] = {**provenance(), **fields}
        return self.sections[section]

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.sections, indent=1)
        # A list of figures in one line, as a reader of a diff wants it.
        text = re.sub(r"\[[\s\d.,\-]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
        self.path.write_text(text + "\n")


def provenance() -> dict[str, object]:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    module = (sys.modules["__main__"].__spec__ or sys.modules[__name__].__spec__).name
    arguments = shlex.join(sys.argv[1:])
    return {
        "command": f"python -m {module.removesuffix('.__main__')} {arguments}".strip(),
        "began": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        "commit": commit.stdout.strip() or "unknown",
        "machine": f"{cpu_name()}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"networks on {cpu_stage.runtime()}",
        "load_average": round(os.getloadavg()[0], 2),  # before: what else the machine had to do
    }


def cpu_name() -> str:
    """As the kernel names it; the architecture where it does not."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
