"""Adapts Triton's Python backend to the pipeline: tensors, errors, a request's client.

Only Triton's Python stub can import it.
"""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from pipeline.errors import InvalidInput, NotAnImage

CODES = ("INVALID_INPUT", "IMAGE_DECODE", "INFERENCE_FAILED")


def tensor(name: str, value: Any) -> Any:
    """`value` as a tensor with that name.

    value: a NumPy array, text, or an object with DLPack such as a torch tensor, which is not copied. The
        output of another model is passed on as it is, since it has that name already.
    """
    if isinstance(value, pb_utils.Tensor):
        return value
    if isinstance(value, str):
        value = np.array([value], np.object_)
    if isinstance(value, np.ndarray):
        return pb_utils.Tensor(name, np.ascontiguousarray(value))
    return pb_utils.Tensor.from_dlpack(name, value)


def response(outputs: Mapping[str, Any]) -> Any:
    return pb_utils.InferenceResponse([tensor(name, value) for name, value in outputs.items()])


def failure(error: BaseException, model: str, request_id: str) -> Any:
    """The error response for an exception: one of `CODES` and a sentence.

    model: where it was raised. An exception that no client has caused is logged: with its traceback where it
    was raised, and in one line where it ends a request, since a batched call has no request's id.
    """
    message = str(error)
    told = isinstance(error, pb_utils.TritonModelException) and any(f"{code}: " in message for code in CODES)
    if isinstance(error, InvalidInput):
        message = f"INVALID_INPUT: {message}"
    elif isinstance(error, NotAnImage):
        message = f"IMAGE_DECODE: {message}"
    elif not told:
        trace = "".join(traceback.format_exception(error))
        pb_utils.Logger.log_error(f"{model}: request {request_id!r} failed: {trace}")
        message = f"INFERENCE_FAILED: {model}: {message}"
    elif "INFERENCE_FAILED: " in message:
        pb_utils.Logger.log_error(f"{model}: request {request_id!r} failed: {message}")
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))


def respond(request: Any, model: str, work: Callable[[dict[str, np.ndarray]], Mapping[str, Any]]) -> Any:
    """The response to one request of a model that is not decoupled; it fails alone.

    work: takes the inputs by name, returns the outputs by name.
    """
    try:
        return response(work({tensor.name(): tensor.as_numpy() for tensor in request.inputs()}))
    except Exception as error:
        return failure(error, model, request.request_id())


def value(one: Any | None) -> Any:
    """A one-element tensor as a Python value; None for None."""
    if one is None:
        return None
    element = one.as_numpy()[0]
    return element.decode() if isinstance(element, bytes) else element.item()


class StreamClient:
    """The client of one request to a decoupled model, which gets a stream of responses."""

    def __init__(self, request: Any):
        self.request_id: str = request.request_id()
        self._sender = request.get_response_sender()

    def cancelled(self) -> bool:
        return bool(self._sender.is_cancelled())

    def progress(self, step: int, steps: int, preview: np.ndarray | None) -> None:
        outputs = {"progress": np.array([step, steps], np.int32)}
        self._sender.send(response(outputs if preview is None else outputs | {"preview": preview}))

    def end(self, last: Any | None = None) -> None:
        """End the stream. Every stream must end, or its client waits for ever.

        last: the last response; None ends the stream without one.
        """
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if last is not None:
            try:
                self._sender.send(last, flags=final)
                return
            except Exception as error:  # it may have been too large for the shared memory
                pb_utils.Logger.log_error(f"{self.request_id}: the last response was not sent: {error!r}")
        self._sender.send(flags=final)
