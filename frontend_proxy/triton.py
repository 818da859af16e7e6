"""Triton as a `ModelServer`: the one place that knows gRPC, tensors and Triton's errors."""

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from pydantic import ValidationError
from tritonclient.grpc import InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient, InferInput, InferResult
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from frontend_proxy.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from frontend_proxy.jobs import Job, ModelHealth, Progress, Result
from frontend_proxy.schemas import Report
from frontend_proxy.tracing import outgoing_headers

logger = logging.getLogger(__name__)

MODEL = "tryon"
OUTPUTS = (
    "progress",
    "preview",
    "image",
    "report",
)  # it has more, for tests; without a choice it would send them all
DEVICE_MODEL = "unet"  # where it runs is what one means by the device
HEALTH_TIMEOUT_S = 2.0

# The client's `channel_args` replace all its defaults, so the message sizes are among them.
CHANNEL_ARGS = [
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    # A peer that vanished without closing is noticed within a minute. More pings than these, or pings on
    # an idle channel, make Triton's gRPC server hang up ("too many pings").
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    # gRPC would wait up to two minutes before it looks for a restarted server.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Several addresses behind one name share the jobs.
    ("grpc.lb_policy_name", "round_robin"),
]

TOO_LATE = "the model took longer than this request may take"

_MODEL_CODES = {
    "INVALID_INPUT": InvalidInput,
    "IMAGE_DECODE": UndecodableImage,
    "INFERENCE_FAILED": InferenceFailed,
}
_MODEL_ERROR = re.compile(rf"\b({'|'.join(_MODEL_CODES)}): ([^\n]*)")
_NOT_READY = re.compile(
    r"is not ready|not at ready state|unknown model|stub process|unavailable", re.IGNORECASE
)
# Triton goes on calling a decoupled model ready whose Python process is dead, and does not restart it.
_PROCESS_DIED = re.compile(r"stub process .* is not healthy", re.IGNORECASE)
_QUEUE_FULL = re.compile(r"exceeds maximum queue size|request timeout expired", re.IGNORECASE)


class Triton:
    """One client for the whole process; each job has its own stream, so cancelling it ends that job only."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = InferenceServerClient(url, channel_args=CHANNEL_ARGS)
        self._device = "unknown"
        self._model_died = False

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """See `ModelServer.run`."""
        if timeout_s <= 0:  # gRPC would begin the call, and now and then trip over its own cancelling
            raise DeadlineExceeded("the request's time was over before the model could begin")

        async def request() -> AsyncIterator[dict[str, Any]]:
            yield {
                "model_name": MODEL,
                "inputs": job_tensors(job),
                "outputs": [InferRequestedOutput(name) for name in OUTPUTS],
                "request_id": job.request_id,
            }

        deadline = time.monotonic() + timeout_s
        stream = self._client.stream_infer(request(), stream_timeout=timeout_s, headers=outgoing_headers())
        try:
            with translated_errors():
                async for result, error in stream:
                    if error is not None:
                        self._model_died = bool(_PROCESS_DIED.search(error.message()))
                        raise error
                    self._model_died = False
                    response = read_response(result)
                    yield response
                    if isinstance(response, Result):
                        return
            raise InferenceFailed("the model ended the job without a picture")
        except (InferenceFailed, asyncio.CancelledError) as error:
            # A deadline that strikes while the request is being sent looks like a failure inside gRPC, or
            # as if this task had been cancelled.
            task = asyncio.current_task()
            if time.monotonic() < deadline or (task and task.cancelling()):
                raise
            raise DeadlineExceeded(TOO_LATE) from error
        finally:
            stream.cancel()

    async def health(self) -> ModelHealth:
        """See `ModelServer.health`."""
        try:
            with translated_errors():
                return await self._health({"client_timeout": HEALTH_TIMEOUT_S})
        except ProxyError as away:
            self._model_died = False  # the server that comes back starts all its models
            return ModelHealth(False, False, str(away), self._device)

    async def _health(self, timeout: dict[str, float]) -> ModelHealth:
        if not await self._client.is_model_ready(MODEL, **timeout):
            index = await self._client.get_model_repository_index(**timeout)
            state, reason = next(((m.state, m.reason) for m in index.models if m.name == MODEL), ("", ""))
            if state in ("LOADING", "UNKNOWN"):
                return ModelHealth(False, True, None, self._device)
            why = reason or state or "it is not there"
            return ModelHealth(False, False, f"Triton has no ready model {MODEL}: {why}", self._device)
        if self._model_died:
            return ModelHealth(False, False, f"the process of model {MODEL} died", self._device)
        if self._device == "unknown":
            response = await self._client.get_model_config(DEVICE_MODEL, **timeout)
            self._device = device_of(response.config)
        return ModelHealth(True, False, None, self._device)

    async def executions(self) -> dict[tuple[str, int], int]:
        """See `ModelServer.executions`."""
        try:
            with translated_errors():
                statistics = await self._client.get_inference_statistics(client_timeout=HEALTH_TIMEOUT_S)
        except ProxyError:
            return {}
        return {
            (model.name, batch.batch_size): batch.compute_infer.count
            for model in statistics.model_stats
            for batch in model.batch_stats
        }

    async def close(self) -> None:
        await self._client.close()


def device_of(config: Any) -> str:
    """`cuda` or `cpu`, from a model's configuration (`inference.ModelConfig`) as Triton completed it."""
    kinds = {type(group).Kind.Name(group.kind) for group in config.instance_group}
    return "cuda" if "KIND_GPU" in kinds else "cpu"


def job_tensors(job: Job) -> list[InferInput]:
    """The inputs of `tryon`, as model_repository/README.md has them; what is None is left out."""
    tensors = {
        "camera_frame": np.frombuffer(job.camera_frame, np.uint8),
        "jacket_render": np.frombuffer(job.jacket_render, np.uint8),
        "mode": _text(job.mode),
        "pose": job.pose,
        "client_mask": None if job.mask is None else np.frombuffer(job.mask, np.uint8),
        "render_fit": None if job.render_fit is None else _text(job.render_fit),
        "fabric": None if job.fabric is None else _text(job.fabric),
        "steps": None if job.steps is None else np.array([job.steps], np.int32),
        "strength": None if job.strength is None else np.array([job.strength], np.float32),
        "guidance_scale": None if job.guidance_scale is None else np.array([job.guidance_scale], np.float32),
        "seed": np.array([job.seed], np.int64),
        "output_format": _text(job.output_format),
        "preview_interval": None
        if job.preview_interval is None
        else np.array([job.preview_interval], np.int32),
        "session": None if job.session is None else _text(job.session),
    }
    return [_input(name, array) for name, array in tensors.items() if array is not None]


def read_response(result: InferResult) -> Progress | Result:
    """Raises InferenceFailed for a response that is neither."""
    image = result.as_numpy("image")
    if image is None:
        progress = result.as_numpy("progress")
        if progress is None:
            raise InferenceFailed("the model sent neither a picture nor progress")
        preview = result.as_numpy("preview")
        return Progress(int(progress[0]), int(progress[1]), None if preview is None else preview.tobytes())
    try:
        return Result(image.tobytes(), Report.model_validate(json.loads(result.as_numpy("report")[0])))
    except (TypeError, ValueError, ValidationError) as error:
        raise InferenceFailed("the model sent a picture with an unreadable report") from error


@contextmanager
def translated_errors() -> Iterator[None]:
    """gRPC's and Triton's errors leave as ours."""
    try:
        yield
    except InferenceServerException as error:
        raise translate(error.message() or "", error.status()) from error
    except grpc.RpcError as error:  # what a stream raises
        raise translate(error.details() or "", str(error.code())) from error


def translate(message: str, status: str | None) -> ProxyError:
    """`message` as Triton or gRPC gave it; `status` like `StatusCode.UNAVAILABLE`, None within a stream.

    Only the pipeline's own messages reach the client: the others name internals.
    """
    if match := _MODEL_ERROR.search(message):
        return _MODEL_CODES[match[1]](match[2])
    logger.warning("Triton: %s %s", status or "", message)
    match status:
        case "StatusCode.DEADLINE_EXCEEDED":
            return DeadlineExceeded(TOO_LATE)
        case "StatusCode.UNAVAILABLE" | "StatusCode.CANCELLED" | "StatusCode.NOT_FOUND":
            return ModelUnavailable("the model server does not answer; try again in a few seconds")
        case "StatusCode.RESOURCE_EXHAUSTED":
            return Overloaded("the model server is full; try again in a moment")
    if _QUEUE_FULL.search(message):
        return Overloaded("the model server is full; try again in a moment")
    if _NOT_READY.search(message):
        return ModelUnavailable("the model is not ready; try again in a few seconds")
    return InferenceFailed("the model failed on this request")


def _text(value: str) -> np.ndarray:
    return np.array([value.encode()], np.object_)


def _input(name: str, array: np.ndarray) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor
