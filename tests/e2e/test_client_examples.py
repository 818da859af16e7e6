"""Every program and command of docs/clients.md, run as it stands against the real stack."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from benchmarks.fabric.materials import jpeg
from fabric.builtin import RECIPES
from tests.tryon_client import KEYFRAMES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/clients.md").read_text()
BLOCKS = re.findall(r"^```(python|bash)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = 16  # of a program; a longer one is no example any more
SIZE = (640, 360)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pictures that the page names, and its commands."""
    folder = tmp_path_factory.mktemp("examples")
    for name, source in (("me.jpg", "camera_frame.jpg"), ("jacket.png", "jacket_render.png")):
        picture = cv2.imread(str(KEYFRAMES / "transparent_no_pose" / source), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(folder / name), cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA))
    (folder / "coat.jpg").write_bytes((ROOT / "tests/data/trials/cut_out.png").read_bytes())
    message = json.loads((KEYFRAMES / "transparent_off_body" / "message.json").read_text())
    (folder / "pose.json").write_text(json.dumps(message["pose"]))
    (folder / "cloth.jpg").write_bytes(jpeg(RECIPES["denim-blue"].make(2), 90))
    for name, command in (("lucy", f"{sys.executable} -m lucy_client"), ("python", sys.executable)):
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    for package in ("lucy_client", "frontend_proxy", "catalog", "fabric", "pipeline"):
        (folder / package).symlink_to(ROOT / package)
    return folder


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "text"), BLOCKS, ids=[f"{kind} {n}" for n, (kind, _) in enumerate(BLOCKS)])
def test_the_examples_run(stack, folder, kind, text):
    script = text.replace("http://localhost:5000", stack.url)
    command = [sys.executable, "-c", script] if kind == "python" else ["bash", "-ec", script]
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LUCY_URL": stack.url, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for name in re.findall(r'(?:save\("|-o |open\("(?=\S+ "wb"))([\w.]+)', text):
        assert cv2.imread(str(folder / name)).shape == (*SIZE[::-1], 3), name


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "python"])
def test_an_example_is_short(text):
    assert len(text.splitlines()) <= LINES
