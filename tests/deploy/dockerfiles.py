"""The instructions of the Dockerfiles."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("deploy/docker/*.Dockerfile"))


def instructions(dockerfile):
    """(instruction, rest) of each line of a Dockerfile, with continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / dockerfile).read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]
