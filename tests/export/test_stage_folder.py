import shutil
from pathlib import Path

import pytest
import torch
from google.protobuf import text_format
from torch import nn
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.onnx_export import write_onnx
from export.stage_folder import is_artefact, remove_others, render, template, write
from export.stages import Stage

OURS = Path(__file__).resolve().parents[2] / "model_repository"


class Denoiser(nn.Module):
    def forward(self, sample, timestep, category):
        return sample[:, :3] + timestep[:, None, None, None] + category[:, None, None, None]


@pytest.fixture
def repository(tmp_path):
    """The two templates."""
    for name in ("unet", "vae_encoder"):
        shutil.copytree(OURS / name, tmp_path / name, ignore=shutil.ignore_patterns("model.*x*", "gpu.pbtxt"))
    return tmp_path


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    example = {
        "sample": torch.zeros(2, 7, 108, 72),
        "timestep": torch.zeros(2),
        "category": torch.zeros(2, dtype=torch.int32),
    }
    write_onnx(Stage("its_unet", Denoiser(), example, ("model_output",)), folder)
    return folder / "model.onnx"


def read(path):
    return text_format.Parse(path.read_text(), ModelConfig())


def test_only_denoisers_are_served_as_the_unet_is():
    denoisers = {"its_unet", "unet"}
    assert template("its_unet", denoisers) == "unet"
    assert template("its_image_encoder", denoisers) == "vae_encoder"
    assert template("text_encoder", denoisers) == "text_encoder"


def test_a_stage_has_its_templates_configurations_with_its_own_tensors(repository, onnx):
    write(repository, "its_unet", render(repository, "its_unet", "unet", onnx))
    for name in ("config.pbtxt", "configs/cpu.pbtxt", "configs/onnx.pbtxt"):
        ours, theirs = (read(repository / folder / name) for folder in ("its_unet", "unet"))
        assert ours.name == "its_unet"
        assert [(it.name, list(it.dims)) for it in ours.input] == [
            ("sample", [7, 108, 72]),
            ("timestep", [1]),
            ("category", [1]),
        ]
        assert [list(it.reshape.shape) for it in ours.input[1:]] == [[], []]
        assert ours.input[1].HasField("reshape")
        assert [(it.name, list(it.dims)) for it in ours.output] == [("model_output", [3, 108, 72])]
        for field in ("backend", "platform", "max_batch_size", "instance_group", "optimization"):
            assert getattr(ours, field) == getattr(theirs, field), field
    assert (repository / "its_unet" / "1" / "model.py").read_text() == (
        repository / "unet" / "1" / "model.py"
    ).read_text()
    assert is_artefact(repository / "its_unet")
    assert not is_artefact(repository / "unet")


def test_a_stage_may_take_fewer_rows_than_its_template(repository, onnx):
    texts = render(repository, "its_unet", "unet", onnx, max_batch=4)
    config = text_format.Parse(texts["config.pbtxt"], ModelConfig())
    assert config.max_batch_size == 4
    assert list(config.dynamic_batching.preferred_batch_size) == [1, 2, 3, 4]


def test_a_hand_written_stage_is_not_written_over(repository, onnx):
    assert render(repository, "unet", "unet", onnx) == {}


def test_the_denoiser_with_loras_has_the_tensors_of_the_one_without(repository, tmp_path):
    texts = render(repository, "unet_fast", "unet", tmp_path / "not read")
    ours, theirs = (
        text_format.Parse(texts["config.pbtxt"], ModelConfig()),
        read(repository / "unet" / "config.pbtxt"),
    )
    assert ours.name == "unet_fast"
    assert (list(ours.input), list(ours.output)) == (list(theirs.input), list(theirs.output))


def test_what_another_checkpoint_left_is_removed(repository, onnx):
    for name in ("its_unet", "other_unet"):
        write(repository, name, render(repository, name, "unet", onnx))
    (repository / "tryon" / "1").mkdir(parents=True)
    for name in ("unet/1/model.onnx", "unet/1/model.plan", "vae_encoder/1/model.onnx",
                 "tryon/1/tokenizer.json", "tryon/1/pipeline.json", "tryon/1/model.py"):  # fmt: skip
        (repository / name).write_text("exported")
    remove_others(repository, ["its_unet", "vae_encoder"], ["tryon/1/pipeline.json"])
    left = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    assert not any(name.startswith("other_unet") for name in left)
    assert "unet/1/model.onnx" not in left
    assert "unet/1/model.plan" not in left
    assert "tryon/1/tokenizer.json" not in left
    assert {"its_unet/config.pbtxt", "unet/config.pbtxt", "unet/1/model.py", "vae_encoder/1/model.onnx",
            "tryon/1/pipeline.json", "tryon/1/model.py"} <= left  # fmt: skip
