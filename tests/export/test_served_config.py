"""The entry's written configuration is its hand-written one and says what is served."""

import json
import shutil
from pathlib import Path

import pytest
from tritonclient.grpc.model_config_pb2 import TYPE_FP32, TYPE_UINT8

from export import served_config
from export.recipe_key import recipe_key
from frontend_proxy.served_model import Licence, ServedModel
from frontend_proxy.triton.client import served_by
from serving.model_config import read_model_config
from serving.placement import IN_PROCESS, PLACEMENT

HAND_WRITTEN = Path(__file__).resolve().parents[2] / "model_repository" / "tryon" / "config.pbtxt"
MANIFEST = {
    "profile": "gpu",
    "precision": "fp16",
    "request": {"checkpoint": "/home/jo/größe 1"},
    "loras": [{"path": "/home/jo/detail.safetensors", "weight": 0.5}],
    "family": {"name": "catvton", "title": "CatVTON"},
    "licence": {"name": "CC BY-NC-SA 4.0", "commercial": False, "note": "not for commerce"},
    "stand_ins": ["a drawing stands in for DensePose"],
}


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "tryon").mkdir()
    shutil.copy(HAND_WRITTEN, tmp_path / "tryon")
    return tmp_path


@pytest.mark.parametrize("profile", ["cpu", "gpu", "onnx", IN_PROCESS])
def test_a_proxy_reads_from_triton_what_is_served(repository, profile):
    served_config.write(repository, MANIFEST)
    config = read_model_config(repository / "tryon", profile)
    assert served_by(config) == ServedModel(
        checkpoint="größe 1",
        profile="gpu",
        precision="fp16",
        loras=["detail:0.5"],
        family="CatVTON",
        licence=Licence(name="CC BY-NC-SA 4.0", commercial=False, note="not for commerce"),
        stand_ins=["a drawing stands in for DensePose"],
    )
    assert "/home/jo" not in str(config), "everybody may read /health"
    assert (PLACEMENT in config.parameters) == (profile == IN_PROCESS)
    for name in ("served", PLACEMENT):
        config.parameters.pop(name, None)
    assert config == read_model_config(repository / "tryon"), "the rest is as it was written"


def test_only_networks_inside_the_entry_hand_over_pictures_in_uint8(repository):
    (repository / "postprocess").mkdir()
    shutil.copy(HAND_WRITTEN.parents[1] / "postprocess" / "config.pbtxt", repository / "postprocess")
    served_config.write(repository, MANIFEST)
    written = read_model_config(repository / "postprocess", IN_PROCESS)
    by_hand = read_model_config(repository / "postprocess")
    [picture] = [it for it in written.input if it.data_type == TYPE_UINT8 and list(it.dims) == [1, 3, -1, -1]]
    assert picture.name == "pixels"
    picture.data_type = TYPE_FP32
    assert written == by_hand


def test_a_hand_written_configuration_says_nothing(repository):
    config = read_model_config(repository / "tryon")
    assert served_by(config) is None
    config.parameters["served"].string_value = json.dumps({"wrong": 1})
    assert served_by(config) is None


def test_the_written_files_do_not_ask_for_another_export(repository):
    before = recipe_key(repository, "sha", "cpu", "fp32")
    served_config.write(repository, MANIFEST)
    assert recipe_key(repository, "sha", "cpu", "fp32") == before


@pytest.mark.parametrize(("profile", "rows"), [("cpu", "6"), ("gpu", "6"), ("onnx", "4"), (IN_PROCESS, "6")])
def test_no_batch_is_larger_than_the_denoisers(repository, profile, rows):
    """ONNX Runtime's CUDA kernels take fewer rows than engines, and so does a large checkpoint's UNet."""
    (repository / "tryon" / "1").mkdir()
    recipes = {mode: {"unet": "big_unet"} for mode in ("keyframe", "capture")}
    (repository / "tryon" / "1" / "pipeline.json").write_text(json.dumps(recipes))
    (repository / "big_unet" / "configs").mkdir(parents=True)
    (repository / "big_unet" / "config.pbtxt").write_text("max_batch_size: 6")
    (repository / "big_unet" / "configs" / "onnx.pbtxt").write_text("max_batch_size: 4")
    served_config.write(repository, MANIFEST)
    assert read_model_config(repository / "tryon", profile).parameters["max_rows"].string_value == rows
