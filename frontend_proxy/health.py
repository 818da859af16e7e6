"""Health of the proxy, Triton and the worker process.

Everybody may ask, so the answers name no address and no file; the log has the details.
"""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from frontend_proxy.background import Background
from frontend_proxy.jobs import ModelHealth, ModelServer
from frontend_proxy.served_model import ServedModel
from frontend_proxy.triton.state import read_state
from frontend_proxy.web.shutdown import Shutdown
from frontend_proxy.worker import Worker


class HealthReport(BaseModel):
    """`GET /health`, as the frontends read it."""

    status: Literal["healthy", "degraded"]
    timestamp: str
    ai_model_loaded: bool
    ai_model_loading: bool
    ai_model_error: str | None
    fabric_processor_ready: bool
    device: str
    active_connections: int
    model: ServedModel | None = None


class Liveness(BaseModel):
    """`GET /health/live`: the process answers. If it does not, restart it."""

    status: Literal["live"] = "live"


class Readiness(BaseModel):
    """`GET /health/ready`: whether requests should be sent here, and if not, why.

    loading: Triton starts, or its models load. away: Triton does not answer, or its model failed. starting:
    the proxy's worker process is not running yet. ending: the proxy is shutting down. failing: background
    loops that failed a short time ago; they start again.
    """

    status: Literal["ready", "loading", "away", "starting", "ending"]
    detail: str | None = None
    failing: list[str] = []


class Health:
    """triton_state: the supervisor's file; None without a supervisor."""

    def __init__(
        self,
        server: ModelServer,
        worker: Worker,
        shutdown: Shutdown,
        background: Background,
        active_connections: Callable[[], int],
        triton_state: Path | None,
    ) -> None:
        self._server = server
        self._worker = worker
        self._shutdown = shutdown
        self._background = background
        self._active_connections = active_connections
        self._triton_state = triton_state

    async def show(self, request: Request) -> Response:
        """Always 200; `status` and the other fields say how much works."""
        model = await self._model()
        healthy = model.ready and self._worker.ready
        return _answer(
            HealthReport(
                status="healthy" if healthy else "degraded",
                timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
                ai_model_loaded=model.ready,
                ai_model_loading=model.loading,
                ai_model_error=model.error,
                fabric_processor_ready=self._worker.ready,
                device=model.device,
                active_connections=self._active_connections(),
                model=model.served,
            )
        )

    async def live(self, request: Request) -> Response:
        return _answer(Liveness())

    async def ready(self, request: Request) -> Response:
        """200 or 503."""
        readiness = await self._readiness()
        return _answer(readiness, 200 if readiness.status == "ready" else 503)

    async def _readiness(self) -> Readiness:
        readiness = await self._reason()
        return readiness.model_copy(update={"failing": sorted(self._background.failing)})

    async def _reason(self) -> Readiness:
        if not self._shutdown.ready:
            return Readiness(status="ending", detail="the proxy is shutting down")
        model = await self._model()
        if model.loading:
            return Readiness(status="loading", detail="the models load")
        if not model.ready:
            return Readiness(status="away", detail=model.error)
        if not self._worker.ready:
            return Readiness(status="starting", detail="the worker process starts")
        return Readiness(status="ready")

    async def _model(self) -> ModelHealth:
        model = await self._server.health()
        if not model.ready and read_state(self._triton_state) == "loading":
            return dataclasses.replace(model, loading=True, error=None)
        return model


def _answer(report: BaseModel, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = "5"
    return Response(report.model_dump_json(), status, headers, "application/json")
