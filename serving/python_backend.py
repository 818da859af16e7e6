"""Between Triton's Python backend and the pipeline: tensors, calls of other models, a request's client.

Imported inside Triton's Python stub only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


def tensor(name: str, value: Any) -> Any:
    """A NumPy array, text, or what has DLPack (a torch tensor, without a copy) as a tensor of that name.

    What a model gave is passed on as it is: it has its name already.
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


def failure(message: str) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))


def value(one: Any | None) -> Any:
    """A one-element tensor as a Python value; None where there is none."""
    if one is None:
        return None
    element = one.as_numpy()[0]
    return element.decode() if isinstance(element, bytes) else element.item()


async def call(
    model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = ""
) -> dict[str, Any]:
    """The named outputs of one model of the repository. Raises TritonModelException with its message."""
    request = pb_utils.InferenceRequest(
        model_name=model,
        inputs=[tensor(name, value) for name, value in inputs.items()],
        requested_output_names=list(outputs),
        request_id=request_id,
    )
    answer = await request.async_exec()
    if answer.has_error():
        raise pb_utils.TritonModelException(answer.error().message())
    return {output.name(): output for output in answer.output_tensors()}


class StreamClient:
    """Who waits for the responses of one request of a decoupled model."""

    def __init__(self, request: Any):
        self.request_id: str = request.request_id()
        self._sender = request.get_response_sender()

    def cancelled(self) -> bool:
        return bool(self._sender.is_cancelled())

    def progress(self, step: int, steps: int, preview: np.ndarray | None) -> None:
        outputs = {"progress": np.array([step, steps], np.int32)}
        self._sender.send(response(outputs if preview is None else outputs | {"preview": preview}))

    def end(self, last: Any | None = None) -> None:
        """last: the response that ends the stream, which every stream must; None: without one."""
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if last is None:
            self._sender.send(flags=final)
        else:
            self._sender.send(last, flags=final)
