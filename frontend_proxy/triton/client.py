"""One Triton as a `ModelServer`. Only this module knows gRPC and Triton's errors."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from frontend_proxy.background import Background
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
from frontend_proxy.served_model import ServedModel
from frontend_proxy.tracing import outgoing_headers
from frontend_proxy.triton.tensors import MODEL, infer_request, read_response

logger = logging.getLogger(__name__)

# This model's device is reported as the device; for a checkpoint that has none of this name, the profile's.
DEVICE_MODEL = "unet"
PROFILES = {"cpu": "cpu", "gpu": "cuda"}
HEALTH_TIMEOUT_S = 2.0

CHANNEL_OPTIONS = [
    ("grpc.enable_http_proxy", 0),  # by default gRPC uses http_proxy, even for 127.0.0.1
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    # A peer that vanished without closing is detected within a minute. More pings than these, or pings on
    # an idle channel, make Triton's gRPC server close the connection ("too many pings").
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    # By default gRPC waits up to two minutes before it reconnects to a restarted server.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
]

TOO_LATE = "the model took longer than this request may take"
FAILED = "the model failed on this request; the server's log has the reason under the request id"

_MODEL_ERROR = re.compile(r"\b(INVALID_INPUT|IMAGE_DECODE|INFERENCE_FAILED): ([^\n]{0,500})")
_NOT_READY = re.compile(
    r"is not ready|not at ready state|unknown model|stub process|unavailable|server is stopping",
    re.IGNORECASE,
)
# Triton still reports a decoupled model as ready after its Python process died, and does not restart it.
_PROCESS_DIED = re.compile(r"stub process .* is not healthy", re.IGNORECASE)
_QUEUE_FULL = re.compile(r"exceeds maximum queue size|request timeout expired", re.IGNORECASE)


class Triton:
    """One server. Each job has its own stream, so cancelling a job ends that job only.

    problem: why the server takes no jobs, with every detail, for the log; empty if it does.
    """

    def __init__(self, url: str, background: Background | None = None) -> None:
        self._url = url
        self._channel = grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._device = "unknown"
        self._served: ServedModel | None = None
        self._described = False
        self._model_died = False
        self._background = background or Background()
        self.problem = ""

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """See `ModelServer.run`."""
        if timeout_s <= 0:  # gRPC would start the call, and sometimes fail while it cancels it
            raise DeadlineExceeded("the request's time was over before the model could start")

        async def request() -> AsyncIterator[service_pb2.ModelInferRequest]:
            yield infer_request(job)

        deadline = time.monotonic() + timeout_s
        metadata = tuple(outgoing_headers().items())
        stream = self._stub.ModelStreamInfer(request(), timeout=timeout_s, metadata=metadata)
        ended = False
        try:
            with translated_errors():
                # `async for`, left before its end, would leave a reference cycle that holds the picture.
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
            # If the deadline passes while the request is being sent, gRPC reports an internal error, or
            # raises CancelledError although nobody has cancelled this task.
            task = asyncio.current_task()
            if time.monotonic() < deadline or (task and task.cancelling()):
                raise
            raise DeadlineExceeded(TOO_LATE) from error
        finally:
            if ended:
                # If a stream is cancelled while it ends, Triton 24.10 keeps the request with its pictures.
                self._background.task("end of a stream", _read_to_end(stream))
            else:
                stream.cancel()

    async def health(self) -> ModelHealth:
        """See `ModelServer.health`. Asks Triton, and sets `problem`."""
        try:
            with translated_errors(logging.DEBUG):  # `Tritons` asks every second, and logs changes
                health, self.problem = await self._health()
        except ProxyError:
            self._model_died = False  # a server that comes back starts all its models,
            self._described = False  # perhaps those of another export
            self.problem = "it does not answer"
            health = ModelHealth(False, False, "the model server does not answer", self._device)
        return health

    async def _health(self) -> tuple[ModelHealth, str]:
        """The health, and for the log the problem: Triton's reasons name files of the server."""
        ready = await self._stub.ModelReady(
            service_pb2.ModelReadyRequest(name=MODEL), timeout=HEALTH_TIMEOUT_S
        )
        if not ready.ready:
            state, reason = await self._repository_state()
            if state in ("LOADING", "UNKNOWN"):
                return ModelHealth(False, True, None, self._device), "the models load"
            problem = f"model {MODEL} is not ready: {reason or state or 'Triton does not know it'}"
            public = f"model {MODEL} is not ready; the server's log has the reason"
            return ModelHealth(False, False, public, self._device), problem
        if self._model_died:
            problem = f"the process of model {MODEL} died; restart Triton"
            return ModelHealth(False, False, problem, self._device), problem
        if not self._described:
            await self._describe()
        return ModelHealth(True, False, None, self._device, self._served), ""

    async def _describe(self) -> None:
        """Ask for the device and for what is served; once for each start of the server."""
        with suppress(grpc.aio.AioRpcError):
            self._served = served_by(await self._config(MODEL))
            self._device = PROFILES.get(self._served.profile if self._served else "", "unknown")
            self._described = True
        with suppress(grpc.aio.AioRpcError):  # the server does not have that model
            self._device = device_of(await self._config(DEVICE_MODEL))

    async def _config(self, model: str) -> Any:
        request = service_pb2.ModelConfigRequest(name=model)
        return (await self._stub.ModelConfig(request, timeout=HEALTH_TIMEOUT_S)).config

    async def _repository_state(self) -> tuple[str, str]:
        """The model's state and the reason, both empty if Triton refuses: it may restrict this protocol."""
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
        counts = {(self._url, model.name, 1): 0 for model in statistics.model_stats if not model.batch_stats}
        return counts | {
            (self._url, model.name, batch.batch_size): batch.compute_infer.count
            for model in statistics.model_stats
            for batch in model.batch_stats
        }

    async def close(self) -> None:
        await self._channel.close()


async def _read_to_end(stream: grpc.aio.StreamStreamCall) -> None:
    """Nothing comes after the result; the job's deadline limits the wait."""
    with suppress(grpc.aio.AioRpcError):
        while await stream.read() is not grpc.aio.EOF:
            pass


def device_of(config: Any) -> str:
    """`cuda` or `cpu`, from a model's configuration (`inference.ModelConfig`) as Triton completed it."""
    kinds = {type(group).Kind.Name(group.kind) for group in config.instance_group}
    return "cuda" if "KIND_GPU" in kinds else "cpu"


def served_by(config: Any) -> ServedModel | None:
    """What the export wrote into the entry's configuration; None if that is hand-written."""
    text = config.parameters["served"].string_value if "served" in config.parameters else ""
    try:
        return ServedModel.model_validate_json(text) if text else None
    except ValueError:
        logger.warning("the parameter `served` of model %s cannot be read", MODEL)
        return None


@contextmanager
def translated_errors(level: int = logging.WARNING) -> Iterator[None]:
    """Raises gRPC's errors as ProxyErrors; logs their texts at `level`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate(error.details() or "", str(error.code()), level) from error


def translate(message: str, status: str | None, level: int = logging.WARNING) -> ProxyError:
    """The error for the client.

    message: the text of Triton or gRPC. It names files, addresses and code, so the client gets it only if the
        pipeline says with its code that the client's own input is at fault; the log gets all others.
    status: like `StatusCode.UNAVAILABLE`; None for an error inside a stream.
    """
    match = _MODEL_ERROR.search(message)
    if match and match[1] == "INVALID_INPUT":
        return InvalidInput(match[2])
    if match and match[1] == "IMAGE_DECODE":
        return UndecodableImage(match[2])
    logger.log(level, "Triton: %s %s", status or "", message)
    if match:
        return InferenceFailed(FAILED)
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
    return InferenceFailed(FAILED)
