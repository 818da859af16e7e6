"""The batches for which Triton's TensorRT backend captures CUDA graphs: others launch every kernel alone."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.profiles import GRAPH_BATCHES
from pipeline.denoising.batching import padded_size
from serving.model_config import read_model_config

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
UNET = read_model_config(REPOSITORY / "unet")
MAX_ROWS = int(read_model_config(REPOSITORY / "tryon").parameters["max_rows"].string_value)


def graph_batches(config):
    """The batches with a graph, by the rules of the backend (InitializeGraphSpecs in instance_state.cc)."""
    if not config.optimization.cuda.graphs:
        return set()
    if config.optimization.cuda.graph_spec:
        return {spec.batch_size for spec in config.optimization.cuda.graph_spec}
    if config.HasField("dynamic_batching"):
        sizes = {1, *config.dynamic_batching.preferred_batch_size}
    else:
        sizes = {1, 2, 3, 4, 6, 8, 12, 16}
    return {size for size in sizes | {config.max_batch_size} if size <= config.max_batch_size}


def auto_completed(config):
    """What Triton makes of a TensorRT model without a scheduler, unless auto-complete is off."""
    completed = ModelConfig()
    completed.CopyFrom(config)
    if not completed.HasField("dynamic_batching"):
        completed.dynamic_batching.preferred_batch_size.append(config.max_batch_size)
    return completed


def test_the_rules():
    plain = text_format.Parse("max_batch_size: 16 optimization { cuda { graphs: true } }", ModelConfig())
    assert graph_batches(plain) == {1, 2, 3, 4, 6, 8, 12, 16}
    assert graph_batches(auto_completed(plain)) == {1, 16}, "so it was, with auto-complete"
    assert graph_batches(ModelConfig()) == set()


@pytest.mark.parametrize("config", [UNET, auto_completed(UNET)])
def test_every_batch_that_tryon_makes_has_a_graph(config):
    graphs = graph_batches(config)
    assert set(GRAPH_BATCHES) == graphs
    for rows in range(1, MAX_ROWS + 1):
        assert padded_size(rows, GRAPH_BATCHES) in graphs, rows


@pytest.mark.parametrize("stage", ["vae_encoder", "vae_decoder"])
def test_pictures_that_arrive_together_have_graphs(stage):
    config = read_model_config(REPOSITORY / stage)
    assert {1, 2, 3, 4} <= graph_batches(auto_completed(config))


@pytest.mark.parametrize("stage", ["unet", "vae_encoder", "vae_decoder"])
def test_a_context_has_the_memory_of_its_own_profile(stage):
    """STATIC, the default, gives every context the memory of the largest resolution and batch."""
    parameters = read_model_config(REPOSITORY / stage).parameters
    assert parameters["execution_context_allocation_strategy"].string_value == "ON_PROFILE_CHANGE"


def test_a_batch_on_onnx_runtime_fits_a_gpu_of_16_gb():
    """Its kernels keep whole attention matrices: 16 rows at 768×1024 took 39 GB."""
    tokens, heads, bytes_each = 768 * 1024 // 64, 8, 2
    matrix = heads * tokens**2 * bytes_each
    assert matrix * 16 > 38e9
    assert matrix * read_model_config(REPOSITORY / "unet", "onnx").max_batch_size < 10e9
