"""The manifest's figures: of this processor and these libraries only."""

import json
import math
from dataclasses import replace

import pytest

from serving.stages import measured
from serving.stages.figures import Figures
from serving.stages.measured import Measured, measured_here, measured_runtime, with_measured
from serving.stages.runtime import ONNX_RUNTIME, OPENVINO

SLOW = Figures({1: 41.5, 4: 217.5}, {1: 41.4, 4: 152.4}, 0.0)
FAST = Figures({1: 28.25, 4: 90.8}, {1: 27.0, 4: 90.8}, 0.0047)
FIGURES = Measured(
    "2026-11-27T18:00:00+00:00",
    {"unet": {ONNX_RUNTIME: SLOW, OPENVINO: FAST}, "text_encoder": {ONNX_RUNTIME: FAST}},
)


@pytest.fixture
def manifest():
    return with_measured({"profile": "cpu", "stages": {}}, FIGURES)


def test_figures_are_read_as_they_were_written(manifest):
    assert measured_here(json.loads(json.dumps(manifest))) == FIGURES
    assert measured_here({"profile": "cpu"}) is None


def test_a_result_that_overflowed_is_no_number_in_json():
    wrong = Measured("now", {"unet": {ONNX_RUNTIME: SLOW, OPENVINO: replace(FAST, error=math.inf)}})
    text = json.dumps(with_measured({}, wrong), allow_nan=False)
    assert measured_here(json.loads(text)) == wrong
    assert wrong.chosen("unet") == ONNX_RUNTIME


def test_each_stage_has_its_choice(manifest):
    found = measured_here(manifest)
    assert found.chosen("unet") == OPENVINO
    assert found.chosen("text_encoder") == ONNX_RUNTIME
    assert found.chosen("vae_decoder") is None  # there was no time for it
    [entry] = manifest["processors"].values()
    assert entry["stages"]["unet"]["chosen"] == "openvino bf16"


def test_a_line_of_the_table():
    assert FIGURES.line("unet") == (
        "OpenVINO in bfloat16 (28.2, 90.8); not ONNX Runtime in float32 (41.5, 217.5)"
    )
    assert FIGURES.line("text_encoder") == "ONNX Runtime in float32 (28.2, 90.8)"


def test_another_processor_is_measured_anew_and_the_first_stays(manifest, monkeypatch):
    monkeypatch.setattr(measured, "processor_name", lambda: "another")
    assert measured_here(manifest) is None
    both = with_measured(manifest, FIGURES)
    assert len(both["processors"]) == 2
    assert measured_here(both) == FIGURES


def test_another_version_of_a_library_is_measured_anew(manifest, monkeypatch):
    monkeypatch.setattr(measured, "library_versions", lambda: {"onnxruntime": "9"})
    assert measured_here(manifest) is None


def test_a_stage_finds_its_own_choice_beside_it(manifest, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert measured_runtime(tmp_path / "unet" / "1" / "model.onnx") == OPENVINO
    assert measured_runtime(tmp_path / "vae_decoder" / "1" / "model.onnx") is None


@pytest.mark.parametrize("text", [None, "", "[]", '{"processors": 3}', "{}"])
def test_a_model_without_a_manifest_is_served_all_the_same(tmp_path, text):
    """Triton copies models of a bucket one by one."""
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    assert measured_runtime(tmp_path / "unet" / "1" / "model.onnx") is None
