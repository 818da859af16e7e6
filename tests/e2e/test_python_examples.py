"""Every Python program that docs/python.md shows, run as it stands against the real stack."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(
    ("program", "picture"), list(zip(PROGRAMS, ("keyframe.jpg", "capture.png", "garment.png"), strict=True))
)
def test_the_documented_programs_get_pictures(stack, tmp_path, program, picture):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    script = program.replace("localhost:5000", stack.url.removeprefix("http://"))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert cv2.imread(str(tmp_path / picture)).shape == (720, 1280, 3)
