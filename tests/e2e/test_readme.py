"""Every `curl` that README.md and docs/api.md show, run as it stands against the real stack."""

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import pytest

from benchmarks.fabric.materials import jpeg
from fabric.builtin import RECIPES
from tests import films

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)

_PICTURE = re.compile(r"\b\w+\.png(?=[\"'\n])")  # that a block writes, in the working directory
_FRAME = re.compile(r"tests/data/\S+\.jpg")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="apt-get install curl jq")
def test_the_documented_requests_are_answered(stack, tmp_path):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "photo.jpg").write_bytes(jpeg(RECIPES["denim-blue"].make(2), 90))
    films.write(tmp_path / "clip.mp4", films.frames(3))
    films.with_alpha(tmp_path / "layer.webm", films.layers(3))
    (tmp_path / "poses.jsonl").write_text("null\n" * 3)
    pages = [(ROOT / name).read_text() for name in ("README.md", "docs/api.md")]
    blocks = [block for page in pages for block in _BLOCK.findall(page) if "curl " in block]
    assert len(blocks) >= 7
    for block in blocks:
        script = "set -eo pipefail\n" + block.replace("localhost:5000", stack.url.removeprefix("http://"))
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, block + done.stderr
        answered = done.stdout + ((tmp_path / "scan.json").read_text() if "scan.json" in block else "")
        assert '"success":false' not in answered.replace(" ", ""), block + answered
        if written := _PICTURE.search(block):
            frame, picture = _FRAME.search(block)[0], tmp_path / written[0]
            assert cv2.imread(str(picture)).shape == cv2.imread(str(ROOT / frame)).shape
            picture.unlink()
        else:
            assert answered.strip(), block
