"""The adapter to Triton's Python backend, on a fake of it."""

import numpy as np
import pytest
import torch

from pipeline.errors import InvalidInput, NotAnImage
from tests.fake_pb_utils import Backend, Request, Sender, Tensor

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
    assert adapter.failure(error, "preprocess", "r-1").error().message() == message
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
    assert adapter.failure(error, "tryon", "r-1").error().message() == expected


def test_an_unexpected_error_is_logged_with_its_request_and_where_it_was_raised(adapter, backend):
    """The log said `preprocess: KeyError('x')`: neither where nor which request."""

    def work(inputs):
        return {}["no such tensor"]

    adapter.respond(Request({}, request_id="r-42"), "preprocess", work)
    [line] = backend.Logger.errors
    assert line.startswith("preprocess: request 'r-42' failed: ")
    assert "in work" in line
    assert "KeyError: 'no such tensor'" in line


@pytest.mark.parametrize(("code", "logged"), [("INFERENCE_FAILED", True), ("INVALID_INPUT", False)])
def test_the_request_that_another_models_failure_ends_is_logged(adapter, backend, code, logged):
    """A call of the UNet is for several requests, and has the id of none."""
    adapter.failure(backend.TritonModelException(f"{code}: unet: out of memory"), "tryon", "r-42")
    assert backend.Logger.errors == (
        [f"tryon: request 'r-42' failed: {code}: unet: out of memory"] if logged else []
    )


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
