"""Proxies with a fake model whose batches are worked on, without the worker processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer


def batches_of(app: Any) -> Any:
    """The app's `BatchService`."""
    (create,) = (route.endpoint.post for route in app.routes if route.path == "/api/batches")
    return create.__self__._batches


@asynccontextmanager
async def proxy(settings: Settings, server: FakeServer, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings.model_copy(update=changes), server)
    batches = batches_of(app)
    transport = httpx.ASGITransport(app)
    async with (
        batches._captures.running(),
        batches.running(),
        httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=60) as client,
    ):
        yield client
