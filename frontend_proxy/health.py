"""`GET /health`: the truth of this moment, from Triton and the worker process."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frontend_proxy.jobs import ModelServer
from frontend_proxy.worker import Worker


class Health:
    def __init__(self, server: ModelServer, worker: Worker, active_connections: Callable[[], int]) -> None:
        self._server = server
        self._worker = worker
        self._active_connections = active_connections

    async def show(self, request: Request) -> Response:
        """200 while the proxy itself lives: `status` and the fields say how much of it works."""
        model = await self._server.health()
        healthy = model.ready and self._worker.ready
        return JSONResponse(
            {
                "status": "healthy" if healthy else "degraded",
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "ai_model_loaded": model.ready,
                "ai_model_loading": model.loading,
                "ai_model_error": model.error,
                "fabric_processor_ready": self._worker.ready,
                "device": model.device,
                "active_connections": self._active_connections(),
            },
            headers={"Cache-Control": "no-store"},
        )
