"""Triton as a `ModelServer`: the one place that knows gRPC and Triton's errors."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from frontend_proxy.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from frontend_proxy.jobs import Execution, Job, ModelHealth, Progress, Result
from frontend_proxy.tracing import outgoing_headers
from frontend_proxy.triton.tensors import MODEL, infer_request, read_response

logger = logging.getLogger(__name__)

DEVICE_MODEL = "unet"  # where it runs is what one means by the device
HEALTH_TIMEOUT_S = 2.0

CHANNEL_OPTIONS = [
    ("grpc.enable_http_proxy", 0),  # gRPC obeys http_proxy by default, and a Triton is never behind one
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
]

TOO_LATE = "the model took longer than this request may take"

_MODEL_CODES = {
    "INVALID_INPUT": InvalidInput,
    "IMAGE_DECODE": UndecodableImage,
    "INFERENCE_FAILED": InferenceFailed,
}
_MODEL_ERROR = re.compile(rf"\b({'|'.join(_MODEL_CODES)}): ([^\n]*)")
_NOT_READY = re.compile(
    r"is not ready|not at ready state|unknown model|stub process|unavailable|server is stopping",
    re.IGNORECASE,
)
# Triton goes on calling a decoupled model ready whose Python process is dead, and does not restart it.
_PROCESS_DIED = re.compile(r"stub process .* is not healthy", re.IGNORECASE)
_QUEUE_FULL = re.compile(r"exceeds maximum queue size|request timeout expired", re.IGNORECASE)


class Triton:
    """One server. One client for the whole process; each job has its own stream, so cancelling it ends that
    job only."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._channel = grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._device = "unknown"
        self._model_died = False
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """See `ModelServer.run`."""
        if timeout_s <= 0:  # gRPC would begin the call, and now and then trip over its own cancelling
            raise DeadlineExceeded("the request's time was over before the model could begin")

        async def request() -> AsyncIterator[service_pb2.ModelInferRequest]:
            yield infer_request(job)

        deadline = time.monotonic() + timeout_s
        metadata = tuple(outgoing_headers().items())
        stream = self._stub.ModelStreamInfer(request(), timeout=timeout_s, metadata=metadata)
        ended = False
        try:
            with translated_errors():
                # An iteration that is not run to its end is garbage in a circle, the picture with it.
                while (message := await stream.read()) is not grpc.aio.EOF:
                    self._model_died = bool(_PROCESS_DIED.search(message.error_message))
                    if message.error_message:
                        raise translate(message.error_message, None)
                    response = read_response(message.infer_response)
                    ended = isinstance(response, Result)
                    yield response
                    if ended:
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
            if ended:
                self._let_end(stream)
            else:
                stream.cancel()

    def _let_end(self, stream: grpc.aio.StreamStreamCall) -> None:
        """Of a stream that is cancelled while it ends, Triton 24.10 keeps the request, pictures and all."""
        ending = asyncio.create_task(_end_of(stream))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def health(self) -> ModelHealth:
        """See `ModelServer.health`."""
        try:
            with translated_errors(logging.DEBUG):  # `Tritons` asks every second, and logs what is news
                return await self._health()
        except ProxyError as away:
            self._model_died = False  # the server that comes back starts all its models
            return ModelHealth(False, False, str(away), self._device)

    async def _health(self) -> ModelHealth:
        ready = await self._stub.ModelReady(
            service_pb2.ModelReadyRequest(name=MODEL), timeout=HEALTH_TIMEOUT_S
        )
        if not ready.ready:
            state, reason = await self._repository_state()
            if state in ("LOADING", "UNKNOWN"):
                return ModelHealth(False, True, None, self._device)
            why = reason or state or "it is not there"
            return ModelHealth(False, False, f"Triton has no ready model {MODEL}: {why}", self._device)
        if self._model_died:
            return ModelHealth(False, False, f"the process of model {MODEL} died", self._device)
        if self._device == "unknown":
            with suppress(grpc.aio.AioRpcError):  # a server without that model
                request = service_pb2.ModelConfigRequest(name=DEVICE_MODEL)
                response = await self._stub.ModelConfig(request, timeout=HEALTH_TIMEOUT_S)
                self._device = device_of(response.config)
        return ModelHealth(True, False, None, self._device)

    async def _repository_state(self) -> tuple[str, str]:
        """The model's state and why, both empty if Triton does not tell: it may restrict this protocol."""
        request = service_pb2.RepositoryIndexRequest()
        try:
            index = await self._stub.RepositoryIndex(request, timeout=HEALTH_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return "", ""
        return next(((m.state, m.reason) for m in index.models if m.name == MODEL), ("", ""))

    async def executions(self) -> dict[Execution, int]:
        """See `ModelServer.executions`."""
        try:
            with translated_errors():
                request = service_pb2.ModelStatisticsRequest()
                statistics = await self._stub.ModelStatistics(request, timeout=HEALTH_TIMEOUT_S)
        except ProxyError:
            return {}
        return {
            (self._url, model.name, batch.batch_size): batch.compute_infer.count
            for model in statistics.model_stats
            for batch in model.batch_stats
        }

    async def close(self) -> None:
        await self._channel.close()


async def _end_of(stream: grpc.aio.StreamStreamCall) -> None:
    """Nothing more comes of a stream that has given its result; it has the job's deadline."""
    with suppress(grpc.aio.AioRpcError):
        while await stream.read() is not grpc.aio.EOF:
            pass


def device_of(config: Any) -> str:
    """`cuda` or `cpu`, from a model's configuration (`inference.ModelConfig`) as Triton completed it."""
    kinds = {type(group).Kind.Name(group.kind) for group in config.instance_group}
    return "cuda" if "KIND_GPU" in kinds else "cpu"


@contextmanager
def translated_errors(level: int = logging.WARNING) -> Iterator[None]:
    """gRPC's errors leave as ours, logged at `level`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate(error.details() or "", str(error.code()), level) from error


def translate(message: str, status: str | None, level: int = logging.WARNING) -> ProxyError:
    """`message` as Triton or gRPC gave it; `status` like `StatusCode.UNAVAILABLE`, None within a stream.

    Only the pipeline's own messages reach the client: the others name internals.
    """
    if match := _MODEL_ERROR.search(message):
        return _MODEL_CODES[match[1]](match[2])
    logger.log(level, "Triton: %s %s", status or "", message)
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
