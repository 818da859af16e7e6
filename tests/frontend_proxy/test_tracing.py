import threading

import httpx
import pytest

from frontend_proxy import tracing
from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def handed_on(settings: Settings, headers: dict[str, str]) -> dict[str, str]:
    """What a capture with these headers gives to the call to Triton."""
    found: list[dict[str, str]] = []

    class Server(FakeServer):
        def run(self, job, timeout_s):  # type: ignore[no-untyped-def]
            found.append(tracing.outgoing_headers())
            return super().run(job, timeout_s)

    transport = httpx.ASGITransport(create_app(settings, Server()))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        capture = {"user_image": FRAME, "jacket_render": RENDER, "pose": None}
        assert (await client.post("/virtual-tryon", json=capture, headers=headers)).status_code == 200
    return found[0]


async def test_without_an_exporter_the_client_s_context_goes_on_unchanged(settings: Settings) -> None:
    headers = {"traceparent": TRACE, "tracestate": "shop=1"}
    assert await handed_on(settings, headers) == headers


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}, {"traceparent": TRACE[:-4] + "xx-01"}])
async def test_no_context_or_a_broken_one_is_none(settings: Settings, headers: dict[str, str]) -> None:
    assert await handed_on(settings, headers) == {}


def test_a_collector_s_address_needs_no_path() -> None:
    assert tracing.traces_url("http://collector:4318/") == "http://collector:4318/v1/traces"


def test_without_a_collector_nothing_is_started() -> None:
    running = threading.active_count()
    end = tracing.configure(None)
    assert threading.active_count() == running, "an exporter has a thread"
    end()
