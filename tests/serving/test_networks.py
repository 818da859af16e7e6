"""The exported networks in this process, on a processor: every runtime computes the same."""

import json
import shutil

import onnx
import pytest
import torch

from export.exporter import export
from families.sd_inpainting.stages import STAGES
from serving import networks
from serving.errors import CannotServe
from serving.gpu_settings import GpuSettings
from serving.networks import open_networks
from tests.repository import HAND_WRITTEN


@pytest.fixture(scope="module")
def repository(checkpoint, tmp_path_factory):
    """The tiny checkpoint, exported for profile gpu; do not change it."""
    folder = tmp_path_factory.mktemp("gpu") / "repository"
    for name in (*STAGES, "tryon", "postprocess"):
        (folder / name).mkdir(parents=True)
        shutil.copy(HAND_WRITTEN / name / "config.pbtxt", folder / name)
    manifest, _ = export(str(checkpoint), folder, "gpu")
    assert all(stage["program_error"] <= 6e-2 for stage in manifest["stages"].values())
    return folder


def settings(runtime="auto"):
    return GpuSettings(_env_file=None, gpu_device="cpu", gpu_runtime=runtime)


@pytest.mark.nightly
def test_torch_and_onnxruntime_compute_the_same_from_one_export(repository):
    """In half precision, with the inputs that the pipeline gives."""
    torch_, onnxruntime = (open_networks(repository, settings(it)) for it in ("auto", "onnxruntime"))
    assert (torch_.runtime, onnxruntime.runtime) == ("torch", "onnxruntime")
    assert set(torch_.stages) == set(onnxruntime.stages) == set(STAGES)
    given = torch.Generator().manual_seed(0)
    inputs = {
        "text_encoder": {"input_ids": torch.randint(200, (2, 77), generator=given, dtype=torch.int32)},
        "vae_encoder": {"pixels": torch.rand(2, 3, 64, 64, generator=given)},
        "unet": {
            "sample": torch.randn(3, 9, 8, 8, generator=given),
            "timestep": torch.tensor([1.0, 500.0, 900.0]),
            "prompt_embeds": torch.randn(3, 77, 32, generator=given),
        },
        "vae_decoder": {"latents": torch.randn(1, 4, 8, 8, generator=given)},
    }
    for name, it in inputs.items():
        found, expected = (opened.stages[name].call(it) for opened in (torch_, onnxruntime))
        assert found.keys() == expected.keys()
        for output, reference in expected.items():
            assert found[output].dtype == torch.float32
            assert (found[output] - reference).abs().max() <= 3e-2 * reference.abs().max()


@pytest.mark.nightly
def test_a_network_is_in_half_precision_inside_and_in_single_at_its_borders(repository):
    assert json.loads((repository / "manifest.json").read_text())["precision"] == "fp16"
    graph = onnx.load(repository / "unet" / "1" / "model.onnx").graph
    weights = {tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16}
    borders = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert borders == {onnx.TensorProto.FLOAT}


@pytest.mark.nightly
def test_graphs_are_for_the_rows_that_each_network_is_called_with(repository):
    rows = networks._graph_rows(repository, STAGES)
    assert rows["unet"] == [1, 2, 3, 4, 6, 8, 12, 16], "those that a tick is padded to"
    assert {name: found for name, found in rows.items() if name != "unet"} == {
        name: [1, 2] for name in STAGES if name != "unet"
    }


@pytest.mark.nightly
def test_a_network_with_a_smaller_largest_batch_has_no_larger_graphs(repository, tmp_path):
    copy = shutil.copytree(repository, tmp_path / "copy")
    config = copy / "unet" / "config.pbtxt"
    config.write_text(config.read_text().replace("max_batch_size: 16", "max_batch_size: 4"))
    assert networks._graph_rows(copy, STAGES)["unet"] == [1, 2, 3, 4]


def test_without_an_export_it_says_what_to_do(tmp_path):
    with pytest.raises(CannotServe, match="run `make export` first"):
        open_networks(tmp_path, settings())


@pytest.mark.nightly
def test_a_program_of_another_torch_is_one_sentence(repository, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise RuntimeError("unknown schema")

    monkeypatch.setattr(torch.export, "load", refuse)
    with pytest.raises(CannotServe, match=r"cannot be read by torch .*\(unknown schema\): export again"):
        open_networks(repository, settings())
