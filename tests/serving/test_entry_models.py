"""How `tryon` reaches networks, on a fake Triton stub."""

import importlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from serving.networks import Networks
from serving.placement import PLACEMENT
from tests.fake_pb_utils import Backend, InferenceResponse, Tensor
from tests.repository import HAND_WRITTEN

IN_TRITON = {"served": {"string_value": '{"profile": "cpu"}'}}
IN_PROCESS = IN_TRITON | {PLACEMENT: {"string_value": "in tryon's process"}}


class Unet:
    device = torch.device("cpu")

    def call(self, inputs):
        assert inputs["timestep"].shape == (2,)
        return {"model_output": inputs["sample"][:, :4]}


@pytest.fixture
def backend(monkeypatch):
    """Answers every call by its model's name in bytes."""

    def answer(request):
        name = np.frombuffer(request.model_name.encode(), np.uint8)
        return InferenceResponse([Tensor(output, name) for output in request.requested_output_names])

    backend = Backend(answer)
    backend.counted = {}

    class MetricFamily:
        COUNTER = "counter"

        def __init__(self, name, description, kind):
            self.name = name

        def Metric(self, labels):
            def increment(value):
                key = self.name, labels["model"]
                backend.counted[key] = backend.counted.get(key, 0) + value

            return SimpleNamespace(increment=increment)

    backend.MetricFamily = MetricFamily
    backend.install(monkeypatch)
    return backend


@pytest.fixture
def adapter(backend):
    return importlib.import_module("serving.entry_models")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in ("unet", "encode", "decode"):
        (tmp_path / name).mkdir()
        shutil.copy(HAND_WRITTEN / name / "config.pbtxt", tmp_path / name)
    (tmp_path / "manifest.json").write_text(json.dumps({"stages": {"unet": {}}}))
    monkeypatch.setenv("GPU_DEVICE", "cpu")
    return tmp_path


async def test_networks_run_here_where_the_configuration_says_so(adapter, backend, repository, monkeypatch):
    opened = Networks("torch", "cpu", {"unet": Unet()}, {})
    monkeypatch.setattr("serving.networks.open_networks", lambda *given: opened)
    models, device = adapter.entry_models(IN_PROCESS, repository)
    assert device == "cpu"
    given = {"sample": torch.ones(2, 9, 8, 8), "timestep": torch.ones(2, 1)}
    answer = await models("unet", given, ["model_output"])
    assert answer["model_output"].as_numpy().shape == (2, 4, 8, 8)
    answer = await models("preprocess", {}, ["report"])
    assert answer["report"].as_numpy().tobytes() == b"preprocess"
    assert backend.counted["lucy_network_rows_total", "unet"] == 2
    assert backend.counted["lucy_network_calls_total", "unet"] == 1
    assert backend.Logger.told == ["the networks run inside tryon: torch on cpu"]


async def test_otherwise_they_are_models_of_triton(adapter, repository, monkeypatch):
    monkeypatch.setattr("serving.networks.open_networks", None)
    models, device = adapter.entry_models(IN_TRITON, repository)
    assert device == "cpu"
    assert (await models("unet", {}, ["model_output"]))["model_output"].as_numpy().tobytes() == b"unet"


def test_a_runtime_that_cannot_work_ends_the_start_with_one_sentence(
    adapter, backend, repository, monkeypatch
):
    monkeypatch.setenv("GPU_RUNTIME", "tensorrt")
    with pytest.raises(
        backend.TritonModelException, match=r"^GPU_RUNTIME is tensorrt, and .*GPU_RUNTIME=torch"
    ):
        adapter.entry_models(IN_PROCESS, repository)


def test_the_start_names_the_graphs():
    assert str(Networks("torch", "cuda", {}, {"unet": [1, 2, 16], "vae_decoder": [1, 2]})) == (
        "torch on cuda, CUDA graphs for up to 16 rows"
    )
