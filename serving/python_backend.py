"""Adapts Triton's Python backend to the pipeline: tensors, errors, calls of other models, a request's client.

Only Triton's Python stub can import it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from weakref import WeakSet

import numpy as np
import triton_python_backend_utils as pb_utils

from pipeline.errors import InvalidInput
from pipeline.garment.pictures import NotAnImage
from pipeline.tryon.models import Models
from serving.cuda_ipc import ipc_fault

# Calls of other models in progress at the same time, some for each job. As many threads as Triton's
# side has (thread-pool-size in serving/triton_server.py).
CALLS = 64
_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

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


def failure(error: BaseException, model: str) -> Any:
    """The error response for an exception: one of `CODES` and a sentence.

    model: where it was raised. An exception that no client has caused is logged.
    """
    message = str(error)
    if isinstance(error, InvalidInput):
        message = f"INVALID_INPUT: {message}"
    elif isinstance(error, NotAnImage):
        message = f"IMAGE_DECODE: {message}"
    elif not (isinstance(error, pb_utils.TritonModelException) and any(f"{c}: " in message for c in CODES)):
        pb_utils.Logger.log_error(f"{model}: {error!r}")
        message = f"INFERENCE_FAILED: {model}: {message}"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))


def respond(request: Any, model: str, work: Callable[[dict[str, np.ndarray]], Mapping[str, Any]]) -> Any:
    """The response to one request of a model that is not decoupled; it fails alone.

    work: takes the inputs by name, returns the outputs by name.
    """
    try:
        return response(work({tensor.name(): tensor.as_numpy() for tensor in request.inputs()}))
    except Exception as error:
        return failure(error, model)


def value(one: Any | None) -> Any:
    """A one-element tensor as a Python value; None for None."""
    if one is None:
        return None
    element = one.as_numpy()[0]
    return element.decode() if isinstance(element, bytes) else element.item()


async def call(
    model: str,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    request_id: str = "",
    *,
    in_main_memory: bool = False,
) -> dict[str, Any]:
    """The named outputs of a model of the repository. Raises TritonModelException with its message.

    in_main_memory: get them in main memory, even from a model that runs on a GPU.
    """
    _use_own_threads(asyncio.get_running_loop())
    memory = {}
    if in_main_memory:
        memory["preferred_memory"] = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)
    request = pb_utils.InferenceRequest(
        model_name=model,
        inputs=[tensor(name, value) for name, value in inputs.items()],
        requested_output_names=list(outputs),
        request_id=request_id,
        **memory,
    )
    answer = await request.async_exec()
    if answer.has_error():
        raise pb_utils.TritonModelException(answer.error().message())
    return {output.name(): output for output in answer.output_tensors()}


def hand_over(profile: str) -> tuple[Models, str]:
    """How models of that profile are called, and the device that their tensors then lie on.

    They stay on the GPU, if the setting TENSOR_MEMORY and the driver allow it.
    """
    if profile != "gpu":
        return call, "cpu"
    from serving.gpu_settings import GpuSettings  # pydantic, which the pixels' processes do without

    setting = GpuSettings().tensor_memory
    fault = ipc_fault() if setting == "auto" else None
    if fault:
        pb_utils.Logger.log_info(f"tensors go through main memory: {fault}")
    in_main_memory = setting == "cpu" or fault is not None
    return partial(call, in_main_memory=in_main_memory), "cpu" if in_main_memory else "cuda"


def _use_own_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Give the loop enough threads for `async_exec`, which waits for its model in one of them.

    Python's own number follows the cores: with two, six calls would wait, and a seventh, the UNet's perhaps,
    would not even begin.
    """
    if loop not in _loops:
        loop.set_default_executor(ThreadPoolExecutor(CALLS, thread_name_prefix="call"))
        _loops.add(loop)


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
