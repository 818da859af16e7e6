"""Packages of npm for tests, installed once below build/."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-save")


def installed(place: Path, *packages: str) -> Path:
    """`place` with these packages, each as NAME@VERSION. Skips the test where they cannot be installed."""
    if not shutil.which("npm"):
        pytest.skip(f"{', '.join(packages)} need Node.js and npm")
    place.mkdir(parents=True, exist_ok=True)
    done = place / ".installed"
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two processes of tests may want the same
        if not done.exists() or done.read_text().split() != list(packages):
            command = [*INSTALL, "--prefix", str(place), *packages]
            run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
            if run.returncode:
                pytest.skip(f"npm cannot install {', '.join(packages)}: {run.stderr[-200:]}")
            done.write_text("\n".join(packages))
    return place
