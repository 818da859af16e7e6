"""Every `curl` that README.md shows, run as it stands against the real stack."""

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import pytest

from benchmarks.fabric.materials import jpeg
from fabric.builtin import RECIPES

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="apt-get install curl jq")
def test_the_readme_s_requests_are_answered(stack, tmp_path):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "photo.jpg").write_bytes(jpeg(RECIPES["denim-blue"].make(2), 90))
    blocks = [block for block in _BLOCK.findall((ROOT / "README.md").read_text()) if "curl " in block]
    assert len(blocks) >= 6
    for block in blocks:
        script = "set -eo pipefail\n" + block.replace("localhost:5000", stack.url.removeprefix("http://"))
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, block + done.stderr
        answered = done.stdout + ((tmp_path / "scan.json").read_text() if "scan.json" in block else "")
        assert '"success":false' not in answered.replace(" ", ""), block + answered
        assert answered.strip(), block
    assert cv2.imread(str(tmp_path / "capture.png")).shape == (720, 1280, 3)
