"""The application against its description: schemathesis finds nothing.

It makes its cases while the tests are collected, which takes 10 s; `make test` leaves this file out.
"""

import asyncio
import base64
import socket
import threading
import uuid
from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from frontend_proxy.__main__ import server_config
from frontend_proxy.app import create_app
from frontend_proxy.pages.openapi import document
from frontend_proxy.settings import Settings
from frontend_proxy.web.shutdown import Server, Shutdown
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, encoded

SCANNABLE = "data:image/jpeg;base64," + encoded("RGB", "JPEG", (96, 96), "olive")

# A server that takes "4" for 4, as forms have it, and fields that it does not know is lenient on purpose, so
# that every client is understood. Four corners that cross are valid JSON, but no swatch, and text is no film
# and no JSON lines. Which picture of the garment is needed depends on the model that /v1/run names.
LENIENT = [negative_data_rejection]
PARTLY_SAID = {
    path: [positive_data_acceptance] for path in ("/api/fabric/scan", "/api/video", "/api/batches", "/v1/run")
}

# The format of every image in the schemas: what a valid one is, is more than a pattern can say.
schemathesis.openapi.format("image", st.sampled_from([FRAME, RENDER, SCANNABLE]))
schemathesis.serializer("application/jsonl")(lambda context, value: str(value).encode(errors="replace"))
schemathesis.openapi.format("binary", st.just(base64.b64decode(SCANNABLE.partition(",")[2])))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real application with its worker processes, in a thread of its own; at its door a fake model."""
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(
        _env_file=None,
        host="127.0.0.1",
        catalog_dir=folder / "catalog",
        results_dir=folder / "results",
        find_pose=False,  # hundreds of captures, half a second each
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # who comes before the server does, waits
    shutdown = Shutdown()
    config = server_config(settings, lambda: create_app(settings, FakeServer(), shutdown))
    server = Server(config, settings, shutdown)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    while httpx.get(f"{base}/health/ready").status_code != 200:
        assert thread.is_alive()
    yield base
    server.should_exit = True
    thread.join()


described = schemathesis.openapi.from_dict(document(False, 50))


@pytest.mark.nightly
@described.parametrize()
@hypothesis_settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_schemathesis_finds_nothing(case: schemathesis.Case, address: str) -> None:
    """With all of its checks but those above."""
    assume((case.path_parameters or {}).get("id") not in ("catalog", "scan"))  # those are other operations
    if isinstance(case.body, dict):
        case.body.pop("webhook_url", None)  # this server has no secret, so it refuses every one
        # That each needs a picture, and that they exclude the single fields, is said in words alone.
        garments = case.body.pop("garments", None)
        if garments is not None and not (case.body.get("jacket_render") or case.body.get("garment_image")):
            case.body["jacket_render"] = RENDER
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())  # one that came with other fields is refused
    excluded = LENIENT + PARTLY_SAID.get(case.operation.path, [])
    case.call_and_validate(base_url=address, excluded_checks=excluded)
