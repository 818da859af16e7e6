import json

import pytest

from serving import choose_runtimes, exported
from serving.choose_runtimes import is_wanted, main
from serving.stages.measured import measured_here
from serving.stages.runtime import ONNX_RUNTIME, OPENVINO, installed_runtimes
from tests.serving.test_engine_stamp import write_onnx


@pytest.fixture(autouse=True)
def by_measuring(monkeypatch, tmp_path):
    """The tests decide by hand; here nobody has."""
    monkeypatch.delenv("CPU_RUNTIME")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def repository(tmp_path):
    for stage in ("unet", "vae_decoder"):
        (tmp_path / stage / "1").mkdir(parents=True)
        write_onnx(tmp_path / stage / "1" / "model.onnx", operator="MatMul")
    stages = {stage: {"buckets": [{"x": [4]}]} for stage in ("unet", "vae_decoder")}
    (tmp_path / "manifest.json").write_text(json.dumps({"profile": "cpu", "stages": stages, "key": "k"}))
    return tmp_path


def read(repository):
    return json.loads((repository / "manifest.json").read_text())


def test_the_command_measures_every_stage_once(repository):
    assert is_wanted(read(repository))
    assert main([f"--repository={repository}"]) == 0
    manifest = read(repository)
    assert not is_wanted(manifest)
    assert manifest["key"] == "k"
    measured = measured_here(manifest)
    assert list(measured.stages) == ["unet", "vae_decoder"]
    assert set(measured.stages["unet"]) == set(installed_runtimes())
    assert measured.chosen("unet") == ONNX_RUNTIME  # nothing to win
    assert sorted(it.name for it in repository.iterdir()) == ["manifest.json", "unet", "vae_decoder"]


def test_a_decoder_is_not_tried_in_half_precision(repository, monkeypatch):
    tried = {}

    def note(model, shapes, runtimes, until):
        tried[model.parts[-3]] = {it.precision for it in runtimes}
        return {ONNX_RUNTIME: None}

    monkeypatch.setattr("serving.stages.timing.time_stage", note)
    runtimes = [ONNX_RUNTIME, OPENVINO, type(OPENVINO)("openvino", "fp16")]
    choose_runtimes.measure(repository, read(repository)["stages"], runtimes, 1)
    assert tried == {"unet": {"fp32", "bf16", "fp16"}, "vae_decoder": {"fp32", "bf16"}}


def test_whoever_decides_by_hand_waits_for_nothing(repository, monkeypatch):
    monkeypatch.setenv("CPU_RUNTIME", "openvino")
    assert not is_wanted(read(repository))


def test_a_gpu_measures_nothing(repository):
    assert not is_wanted(read(repository) | {"profile": "gpu"})


def test_a_manifest_that_cannot_be_written_keeps_nobody_from_serving(repository, monkeypatch, capsys):
    def read_only(*paths):
        raise PermissionError("manifest.json is read-only")

    before = read(repository)
    monkeypatch.setattr(exported.os, "replace", read_only)
    assert main([f"--repository={repository}"]) == 1
    assert capsys.readouterr().err == (
        "The runtimes were not measured, so the processor's kind decides: manifest.json is read-only\n"
    )
    assert read(repository) == before
    assert not list(repository.glob("manifest.json?*"))
