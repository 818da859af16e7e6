"""The hand-written configurations: Triton finds a wrong one when it loads, or worse, when it runs."""

from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.profiles import PROFILES
from export.stage_folder import is_artefact
from tests.repository import prepared_repository

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
# Without the stages that an export has added here: of lucy-tiny, its light reader.
MODELS = sorted(
    path.parent.name for path in REPOSITORY.glob("*/config.pbtxt") if not is_artefact(path.parent)
)
STAGES = ["text_encoder", "unet", "vae_decoder", "vae_encoder"]
ENSEMBLES = ["decode", "encode"]


def read(model, profile=None):
    path = REPOSITORY / model / (f"configs/{profile}.pbtxt" if profile else "config.pbtxt")
    return text_format.Parse(path.read_text(), ModelConfig())


def shape(config, tensor):
    """The tensor's whole shape as a client sees it, -1 for any."""
    return [-1, *tensor.dims] if config.max_batch_size else list(tensor.dims)


def inner_shape(config, tensor):
    """The shape that reaches the model itself."""
    dims = tensor.reshape.shape if tensor.HasField("reshape") else tensor.dims
    return [-1, *dims] if config.max_batch_size else list(dims)


def agree(one, other):
    return len(one) == len(other) and all(a == b or -1 in (a, b) for a, b in zip(one, other, strict=True))


def tensors(config):
    return {
        tensor.name: (tensor.data_type, shape(config, tensor)) for tensor in (*config.input, *config.output)
    }


def test_the_repository_has_all_models():
    assert MODELS == sorted([*STAGES, *ENSEMBLES, "preprocess", "postprocess", "tryon"])


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_named_as_its_folder(model):
    assert read(model).name == model


@pytest.mark.parametrize("stage", STAGES)
def test_all_profiles_have_the_same_tensors(stage):
    gpu, cpu = read(stage), read(stage, "cpu")
    assert (gpu.platform, cpu.backend) == ("tensorrt_plan", "python")
    onnx = read(stage, "onnx")
    assert onnx.platform == "onnxruntime_onnx"
    for field in ("name", "input", "output"):
        assert getattr(gpu, field) == getattr(cpu, field) == getattr(onnx, field)
    assert gpu.max_batch_size == cpu.max_batch_size >= onnx.max_batch_size


def test_every_profile_processes_enough_keyframes_at_the_same_time():
    assert PROFILES["gpu"].max_live >= max_rows(), "a batch is never full"
    assert PROFILES["cpu"].max_live >= 2, "one is decoded while the next is denoised"


def max_rows():
    return int(read("tryon").parameters["max_rows"].string_value)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_every_tensor_of_an_ensemble_fits_the_models_that_use_it(ensemble):
    config = read(ensemble)
    known = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in config.input}
    used = set()
    for step in config.ensemble_scheduling.step:
        model = read(step.model_name)
        theirs = tensors(model)
        assert set(step.input_map) == {tensor.name for tensor in model.input if not tensor.optional}
        assert set(step.output_map) <= {tensor.name for tensor in model.output}
        for inner, outer in step.input_map.items():
            assert outer in known, f"{step.model_name} reads {outer}, which nobody has made"
            assert known[outer][0] == theirs[inner][0], f"type of {outer}"
            assert agree(known[outer][1], theirs[inner][1]), f"shape of {outer}"
            used.add(outer)
        for inner, outer in step.output_map.items():
            assert outer not in known, f"{outer} is made twice"
            known[outer] = theirs[inner]
    assert {tensor.name for tensor in config.input} <= used, "an input that nobody reads"
    for tensor in config.output:
        assert known[tensor.name][0] == tensor.data_type
        assert agree(known[tensor.name][1], list(tensor.dims)), f"shape of {tensor.name}"


@pytest.mark.parametrize("stage", STAGES)
def test_the_onnx_graph_has_the_tensors_of_the_configuration(stage):
    config = read(stage)
    graph = onnx.load(prepared_repository() / stage / "1" / "model.onnx", load_external_data=False).graph
    types = {onnx.TensorProto.FLOAT: "TYPE_FP32", onnx.TensorProto.INT32: "TYPE_INT32"}
    for ours, theirs in ((config.input, graph.input), (config.output, graph.output)):
        assert [tensor.name for tensor in ours] == [value.name for value in theirs]
        for tensor, value in zip(ours, theirs, strict=True):
            found = value.type.tensor_type
            dims = [-1 if dim.dim_param else dim.dim_value for dim in found.shape.dim]
            assert dims[0] == -1, "the batch must stay dynamic"
            assert agree(inner_shape(config, tensor), dims)
            assert ModelConfig.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number[
                tensor.data_type
            ].name == types[found.elem_type]  # fmt: skip


def test_tryon_asks_encode_and_decode_for_tensors_of_their_type():
    """`tryon` calls them by name in code; what it hands through under the same name must fit."""
    tryon = tensors(read("tryon"))
    for neighbour in ENSEMBLES:
        for name, (data_type, dims) in tensors(read(neighbour)).items():
            if name in tryon and (neighbour, name) != ("encode", "report"):
                assert tryon[name][0] == data_type, name
                assert agree(tryon[name][1], dims), name


def test_a_tick_is_never_larger_than_the_unets_batch():
    rows = int(read("tryon").parameters["max_rows"].string_value)
    assert 2 <= rows <= min(read("unet").max_batch_size, read("unet", "cpu").max_batch_size)


@pytest.mark.parametrize("stage", ["vae_encoder", "vae_decoder", "unet"])
def test_the_networks_that_fill_a_gpu_run_one_at_a_time(stage):
    [group] = read(stage).instance_group
    assert [(it.name, it.count) for it in group.rate_limiter.resources] == [("gpu", 1)]
    assert group.rate_limiter.priority == (1 if stage == "unet" else 2)


def test_tryon_streams_its_responses():
    assert read("tryon").model_transaction_policy.decoupled


def test_the_readme_describes_every_tensor():
    """One table of tensors, each with the type that the configurations give it."""
    rows = [line.split("|") for line in (REPOSITORY / "README.md").read_text().splitlines()]
    table = {
        name.strip(" `"): cells[2].strip()
        for cells in rows
        if len(cells) == 6
        for name in cells[1].split(",")
    }
    names = ModelConfig.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number
    for model in MODELS:
        for tensor in (*read(model).input, *read(model).output):
            assert f"TYPE_{table[tensor.name]}" == names[tensor.data_type].name, f"{model}: {tensor.name}"
