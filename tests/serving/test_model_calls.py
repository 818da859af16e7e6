"""Calls of other models, on a fake of Triton's Python backend."""

import asyncio
import importlib
import threading

import numpy as np
import pytest

from serving.triton_server import TritonServer
from tests.fake_pb_utils import Backend, InferenceResponse, Tensor, TritonError


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def calls(backend, monkeypatch):
    backend.install(monkeypatch)
    return importlib.import_module("serving.model_calls")


async def test_a_call_returns_the_named_outputs(calls, backend):
    asked = []

    def models(request):
        asked.append(request)
        return InferenceResponse([Tensor("image", np.ones(2)), Tensor("light", np.zeros(3))])

    backend.models = models
    found = await calls.call("decode", {"latents": np.zeros(4)}, ["image", "light"], "id 1")
    assert {name: tensor.as_numpy().tolist() for name, tensor in found.items()} == {
        "image": [1, 1],
        "light": [0, 0, 0],
    }
    [request] = asked
    assert (request.model_name, request.request_id) == ("decode", "id 1")
    assert [tensor.name() for tensor in request.inputs] == ["latents"]


async def test_a_call_that_fails_raises_the_models_message(calls, backend):
    backend.models = lambda request: InferenceResponse(error=TritonError("IMAGE_DECODE: no picture"))
    with pytest.raises(backend.TritonModelException, match="IMAGE_DECODE: no picture"):
        await calls.call("encode", {}, [])


async def test_many_calls_wait_at_the_same_time(calls, backend):
    """asyncio's own threads are 4 more than the cores: on 2 cores the seventh call did not begin."""
    together = threading.Barrier(calls.CALLS)

    def models(request):
        together.wait(timeout=20)
        return InferenceResponse([])

    backend.models, backend.in_threads = models, True
    await asyncio.gather(*(calls.call("unet", {}, []) for _ in range(calls.CALLS)))


def test_triton_has_as_many_threads_for_calls_as_the_models(calls, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.triton_server.served_models", lambda repository, in_process: ["tryon"])
    command = TritonServer(tmp_path, "cpu", 8001, None, 8002, tmp_path).command()
    assert f"--backend-config=python,thread-pool-size={calls.CALLS}" in command


@pytest.mark.parametrize(
    ("profile", "setting", "fault", "main_memory"),
    [
        ("gpu", "auto", None, False),
        ("gpu", "auto", "WSL2 has no CUDA IPC", True),
        ("gpu", "cpu", None, True),
        ("gpu", "gpu", "WSL2 has no CUDA IPC", False),
        ("cpu", "auto", "nothing is probed, since that would create a CUDA context", False),
    ],
)
async def test_outputs_stay_on_the_gpu_where_it_can_share_memory(
    calls, backend, monkeypatch, profile, setting, fault, main_memory
):
    """BLS outputs on a GPU travel by CUDA IPC, which fails on WSL2: every job would fail with it."""
    asked = []
    backend.models = lambda request: asked.append(request.preferred_memory) or InferenceResponse([])
    monkeypatch.setenv("TENSOR_MEMORY", setting)
    monkeypatch.setattr(calls, "ipc_fault", lambda: fault)
    models, device = calls.hand_over(profile)
    assert device == ("cuda" if profile == "gpu" and not main_memory else "cpu")
    await models("unet", {}, [])
    assert asked == [("main memory", 0) if main_memory else None]
    assert any(str(fault) in told for told in backend.Logger.told) == (main_memory and setting == "auto")
