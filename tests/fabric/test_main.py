import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg
from fabric.__main__ import _slug
from fabric.weaves import Weave, weave_cloth


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fabric", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_photo_becomes_a_folder(tmp_path: Path) -> None:
    weave = Weave("plain", (8, 8), np.array([0.3, 0.1, 0.1]), np.array([0.4, 0.2, 0.1]))
    photo = tmp_path / "cloth.jpg"
    photo.write_bytes(jpeg(weave_cloth(weave, 400, 1)))
    done = run(photo, "-o", tmp_path / "maps", "--size", 256, "--pack", "gltf", "usdz", "mtlx", "zip")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "maps" / "fabric.json").read_text())
    assert document["name"] == "cloth"
    packs = ["cloth.glb", "cloth.usdz", "cloth-materialx.zip", "cloth.zip"]
    for name in [*document["maps"].values(), "contact_sheet.jpg", *packs]:
        assert (tmp_path / "maps" / name).stat().st_size > 500


def test_another_file_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    done = run(__file__, "-o", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "JPEG" in done.stderr


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Été « fleur » 花", "ete-fleur"),
        ("Wolle, grün", "wolle-grun"),
        ("\ufb01ne twill", "fine-twill"),
        ("花", "fabric"),
    ],
)
def test_a_pack_s_file_name_keeps_letters_with_accents(name: str, slug: str) -> None:
    """`Été` became `t`."""
    assert _slug(name) == slug
