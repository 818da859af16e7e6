"""Fakes of the model server: as a `ModelServer`, and as a gRPC service."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

import grpc
import numpy as np
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from frontend_proxy.answer_schemas import Report
from frontend_proxy.errors import DeadlineExceeded, ProxyError
from frontend_proxy.jobs import Execution, Job, ModelHealth, Progress, Result


@dataclass
class FakeServer:
    """A `ModelServer` that answers every job with its own camera frame after `delay_s`, or with `error`."""

    delay_s: float = 0.0
    error: ProxyError | None = None
    capture_steps: int = 3
    default_steps: int = 4
    latency_ms: dict[str, float] = field(default_factory=dict)
    state: ModelHealth = field(default_factory=lambda: ModelHealth(True, False, None, "cpu"))
    started: list[Job] = field(default_factory=list)
    finished: list[Job] = field(default_factory=list)
    cancelled: list[Job] = field(default_factory=list)
    closed: bool = False

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        self.started.append(job)
        try:
            async with asyncio.timeout(timeout_s):
                if job.mode == "capture":
                    for step in range(1, self.capture_steps + 1):
                        due = job.preview_interval and step % job.preview_interval == 0
                        yield Progress(step, self.capture_steps, b"preview" if due else None)
                await asyncio.sleep(self.delay_s)
        except TimeoutError as error:
            raise DeadlineExceeded("too late") from error
        except asyncio.CancelledError:
            self.cancelled.append(job)
            raise
        if self.error is not None:
            raise self.error
        self.finished.append(job)
        report = Report(
            mode="ai_enhanced",
            seed=job.seed,
            steps=self.default_steps if job.steps is None else job.steps,
            mask_source="alpha",
            latency_ms=self.latency_ms,
        )
        yield Result(job.camera_frame, report)

    async def health(self) -> ModelHealth:
        return self.state

    async def executions(self) -> dict[Execution, int]:
        return {("gpu-1:8001", "unet", 1): 3, ("gpu-1:8001", "unet", 4): 2}

    async def close(self) -> None:
        self.closed = True


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Triton's gRPC service with the model `tryon`, for the tests of the client.

    script: what a job gets, in order: (step, steps) for progress, bytes for the picture, a string for an
        error in the stream, a `grpc.StatusCode` to end it with, a float for seconds of silence.
    """

    def __init__(self) -> None:
        self.script: list[tuple[int, int] | bytes | str | grpc.StatusCode | float] = [b"picture"]
        self.report = {"mode": "ai_enhanced", "seed": 7, "steps": 4, "mask_source": "alpha"}
        self.requests: list[service_pb2.ModelInferRequest] = []
        self.cancelled = asyncio.Event()
        self.model_ready = True
        self.health_checks = 0
        self.statistics_calls = 0
        self.statistics: dict[str, dict[int, int]] = {}  # executions by batch size
        self.index = [("tryon", "READY", "")]
        self.instance_kind = model_config_pb2.ModelInstanceGroup.KIND_CPU
        self.served = ""
        self.unknown: set[str] = set()  # models that it does not have

    async def ModelStreamInfer(
        self, requests: AsyncIterator[service_pb2.ModelInferRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[service_pb2.ModelStreamInferResponse]:
        async for request in requests:
            self.requests.append(request)
            for act in self.script:
                if isinstance(act, grpc.StatusCode):
                    await context.abort(act, "as scripted")
                elif isinstance(act, float):
                    try:
                        await asyncio.sleep(act)
                    except asyncio.CancelledError:
                        self.cancelled.set()
                        raise
                else:
                    yield self._response(act)

    def _response(self, act: tuple[int, int] | bytes | str) -> service_pb2.ModelStreamInferResponse:
        if isinstance(act, str):
            return service_pb2.ModelStreamInferResponse(error_message=act)
        response = service_pb2.ModelInferResponse(model_name="tryon")
        if isinstance(act, bytes):
            report = json.dumps(self.report).encode()
            _add_output(response, "image", "UINT8", len(act), act)
            _add_output(response, "report", "BYTES", 1, len(report).to_bytes(4, "little") + report)
        else:
            _add_output(response, "progress", "INT32", 2, np.array(act, np.int32).tobytes())
        return service_pb2.ModelStreamInferResponse(infer_response=response)

    async def ModelReady(self, request, context) -> service_pb2.ModelReadyResponse:
        self.health_checks += 1
        return service_pb2.ModelReadyResponse(ready=self.model_ready)

    async def ModelStatistics(self, request, context) -> service_pb2.ModelStatisticsResponse:
        self.statistics_calls += 1
        response = service_pb2.ModelStatisticsResponse()
        for name, batches in self.statistics.items():
            model = response.model_stats.add(name=name)
            for batch_size, count in batches.items():
                model.batch_stats.add(batch_size=batch_size).compute_infer.count = count
        return response

    async def RepositoryIndex(self, request, context) -> service_pb2.RepositoryIndexResponse:
        response = service_pb2.RepositoryIndexResponse()
        for name, state, reason in self.index:
            response.models.add(name=name, version="1", state=state, reason=reason)
        return response

    async def ModelConfig(self, request, context) -> service_pb2.ModelConfigResponse:
        if request.name in self.unknown:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}'")
        response = service_pb2.ModelConfigResponse()
        response.config.name = request.name
        response.config.instance_group.add(kind=self.instance_kind)
        if request.name == "tryon" and self.served:
            response.config.parameters["served"].string_value = self.served
        return response


def _add_output(
    response: service_pb2.ModelInferResponse, name: str, datatype: str, size: int, raw: bytes
) -> None:
    response.outputs.add(name=name, datatype=datatype, shape=[size])
    response.raw_output_contents.append(raw)
