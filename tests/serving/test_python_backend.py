"""The adapter to Triton's Python backend, on a fake of it."""

import asyncio
import threading

import numpy as np
import pytest
import torch

from pipeline.errors import InvalidInput
from pipeline.garment.pictures import NotAnImage
from serving.triton_server import TritonServer
from tests.fake_pb_utils import Backend, InferenceResponse, Request, Sender, Tensor, TritonError

FINAL = Backend.TRITONSERVER_RESPONSE_COMPLETE_FINAL


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def adapter(backend, monkeypatch):
    return backend.install(monkeypatch)


def test_arrays_text_and_torch_tensors_become_tensors(adapter):
    assert adapter.tensor("a", np.arange(6).reshape(2, 3).T).as_numpy().flags.c_contiguous
    assert adapter.tensor("a", "words").as_numpy().tolist() == ["words"]
    shared = torch.zeros(3)
    tensor = adapter.tensor("a", shared)
    shared[1] = 7
    assert tensor.as_numpy().tolist() == [0, 7, 0], "a copy costs time and memory"


def test_a_models_output_is_passed_on_as_it_is(adapter):
    tensor = Tensor("pixels", np.zeros(1))
    assert adapter.tensor("other", tensor) is tensor


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([b"words"], np.object_), "words"),
        (np.array([7], np.int32), 7),
        (np.array([0.5], np.float32), 0.5),
    ],
)
def test_a_value_is_pythons_own(adapter, array, expected):
    found = adapter.value(Tensor("a", array))
    assert (found, type(found)) == (expected, type(expected))


def test_no_tensor_is_no_value(adapter):
    assert adapter.value(None) is None


async def test_a_call_returns_the_named_outputs(adapter, backend):
    asked = []

    def models(request):
        asked.append(request)
        return InferenceResponse([Tensor("image", np.ones(2)), Tensor("light", np.zeros(3))])

    backend.models = models
    found = await adapter.call("decode", {"latents": np.zeros(4)}, ["image", "light"], "id 1")
    assert {name: tensor.as_numpy().tolist() for name, tensor in found.items()} == {
        "image": [1, 1],
        "light": [0, 0, 0],
    }
    [request] = asked
    assert (request.model_name, request.request_id) == ("decode", "id 1")
    assert [tensor.name() for tensor in request.inputs] == ["latents"]


async def test_a_call_that_fails_raises_the_models_message(adapter, backend):
    backend.models = lambda request: InferenceResponse(error=TritonError("IMAGE_DECODE: no picture"))
    with pytest.raises(backend.TritonModelException, match="IMAGE_DECODE: no picture"):
        await adapter.call("encode", {}, [])


@pytest.mark.parametrize(
    ("error", "message", "logged"),
    [
        (InvalidInput("mode is 'x'"), "INVALID_INPUT: mode is 'x'", False),
        (NotAnImage("no image"), "IMAGE_DECODE: no image", False),
        (ZeroDivisionError("division by zero"), "INFERENCE_FAILED: preprocess: division by zero", True),
        (MemoryError(), "INFERENCE_FAILED: preprocess: ", True),
    ],
)
def test_each_error_has_its_code_and_only_our_own_faults_are_logged(adapter, backend, error, message, logged):
    assert adapter.failure(error, "preprocess").error().message() == message
    assert bool(backend.Logger.errors) == logged


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("in ensemble 'encode', IMAGE_DECODE: no image", "in ensemble 'encode', IMAGE_DECODE: no image"),
        (
            "unexpected shape of 'sample'",
            "INFERENCE_FAILED: tryon: unexpected shape of 'sample'",
        ),
    ],
)
def test_another_models_message_gets_a_code_if_it_has_none(adapter, backend, message, expected):
    error = backend.TritonModelException(message)
    assert adapter.failure(error, "tryon").error().message() == expected


def test_one_request_of_a_batch_fails_alone(adapter):
    def work(inputs):
        return {"half": 1 / inputs["number"]}

    good, bad = [
        adapter.respond(Request({"number": number}), "halves", work) for number in (np.array([2.0]), "text")
    ]
    assert good.arrays()["half"].tolist() == [0.5]
    assert bad.error().message().startswith("INFERENCE_FAILED: halves: ")


def test_a_streams_client_is_told_of_each_step(adapter):
    request = Request({})
    client = adapter.StreamClient(request)
    client.progress(1, 4, None)
    client.progress(2, 4, np.array([9], np.uint8))
    client.end(adapter.response({"image": np.zeros(1)}))
    (first, a), (second, b), (last, c) = request.sender.sent
    assert first.arrays()["progress"].tolist() == [1, 4]
    assert set(first.arrays()) == {"progress"}
    assert second.arrays()["preview"].tolist() == [9]
    assert set(last.arrays()) == {"image"}
    assert (a, b, c) == (0, 0, FINAL)


def test_a_stream_may_end_without_a_response(adapter):
    request = Request({})
    adapter.StreamClient(request).end()
    assert request.sender.sent == [(None, FINAL)]


def test_a_stream_ends_even_if_its_last_response_cannot_be_sent(adapter, backend):
    """Without the FINAL flag the client would wait for ever."""

    def refuse(response, flags):
        if response is not None:
            raise MemoryError("shared memory is full")

    request = Request({}, sender=Sender(refuse))
    adapter.StreamClient(request).end(adapter.response({"image": np.zeros(1)}))
    assert request.sender.sent == [(None, FINAL)]
    assert "shared memory is full" in backend.Logger.errors[0]


def test_a_client_that_went_away_is_noticed(adapter):
    request = Request({})
    client = adapter.StreamClient(request)
    assert not client.cancelled()
    request.sender.is_gone = True
    assert client.cancelled()


async def test_many_calls_wait_at_the_same_time(adapter, backend):
    """asyncio's own threads are 4 more than the cores: on 2 cores the seventh call did not begin."""
    together = threading.Barrier(adapter.CALLS)

    def models(request):
        together.wait(timeout=20)
        return InferenceResponse([])

    backend.models, backend.in_threads = models, True
    await asyncio.gather(*(adapter.call("unet", {}, []) for _ in range(adapter.CALLS)))


def test_triton_has_as_many_threads_for_calls_as_the_models(adapter, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.triton_server.served_models", lambda repository, in_process: ["tryon"])
    command = TritonServer(tmp_path, "cpu", 8001, None, 8002, tmp_path).command()
    assert f"--backend-config=python,thread-pool-size={adapter.CALLS}" in command


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
    adapter, backend, monkeypatch, profile, setting, fault, main_memory
):
    """BLS outputs on a GPU travel by CUDA IPC, which fails on WSL2: every job would fail with it."""
    asked = []
    backend.models = lambda request: asked.append(request.preferred_memory) or InferenceResponse([])
    monkeypatch.setenv("TENSOR_MEMORY", setting)
    monkeypatch.setattr(adapter, "ipc_fault", lambda: fault)
    models, device = adapter.hand_over(profile)
    assert device == ("cuda" if profile == "gpu" and not main_memory else "cpu")
    await models("unet", {}, [])
    assert asked == [("main memory", 0) if main_memory else None]
    assert any(str(fault) in told for told in backend.Logger.told) == (main_memory and setting == "auto")
