"""From a shop's rows to what is served: trained, exported with LORAS, compared through the real server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import prepared_repository
from training.lucy_tiny.dataset import write_rows

ROOT = Path(__file__).parents[2]


def command(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "CPU_RUNTIME": "onnxruntime"},
        capture_output=True,
        text=True,
    )


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_a_lora_is_trained_exported_served_compared_and_published(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    write_rows(rows, range(4_300_000, 4_300_006), of_sequins=True)
    lora, work = tmp_path / "lora.safetensors", tmp_path / "work"
    # A network that no step improves keeps its untrained LoRA, as after two steps on some processors.
    few = ("--steps=16", "--light-steps=10", "--every=5", "--variants=1", "--rank=4", "--batch=4")
    trained = command("training.finetune", rows, f"--out={lora}", f"--work={work}", *few)
    assert trained.returncode == 0, trained.stderr[-2000:]
    assert lora.with_suffix(".md").is_file()

    published = tmp_path / "published" / "lora.safetensors"
    # The base is the tests' own export, and takes no minute more.
    shutil.copytree(prepared_repository(), work / "compare" / "base" / "models")
    compare = ("training.finetune.compare", rows, f"--lora={lora}", f"--work={work / 'compare'}")
    # So few steps change little; whether it is better is not what is tested here.
    compared = command(*compare, f"--publish={published}", "--least-gain=-1")
    assert compared.returncode == 0, compared.stderr[-2000:]
    report = json.loads((work / "compare" / "compare.json").read_text())
    assert report["validation"]["rows"] == 1
    # Not the gain: so few steps may round to none.
    base, tuned = (work / "compare" / side / "models" for side in ("base", "tuned"))
    for network in ("unet", "light_reader"):
        model = Path(network, "1", "model.onnx")
        assert (base / model).read_bytes() != (tuned / model).read_bytes(), "the LoRA changes what is served"
    assert (work / "compare" / "validation-keyframe.jpg").is_file()
    assert published.read_bytes() == lora.read_bytes()
    assert "Through the real server" in published.with_suffix(".md").read_text()
    manifest = json.loads((work / "compare" / "tuned" / "models" / "manifest.json").read_text())
    assert [it["modes"] for it in manifest["loras"]] == ["all"]
