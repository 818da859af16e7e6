from pathlib import Path

import httpx
import pytest

from frontend_proxy.app import create_app
from frontend_proxy.background import Background
from frontend_proxy.jobs import ModelHealth
from frontend_proxy.settings import Settings
from frontend_proxy.triton.state import read_state, write_state
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve

AWAY = ModelHealth(False, False, "the model server does not answer", "unknown")


async def ask(settings: Settings, server: FakeServer, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(settings, server))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("told", "status", "loading"),
    [("loading", "loading", True), ("ready", "away", False), ("away", "away", False), ("", "away", False)],
)
async def test_the_supervisor_s_file_distinguishes_loading_from_away(
    settings: Settings, server: FakeServer, tmp_path: Path, told, status: str, loading: bool
) -> None:
    """Triton opens its port only after all models are loaded, so the proxy cannot see the difference."""
    file = tmp_path / "triton.state"
    write_state(file, told)
    settings = settings.model_copy(update={"triton_state_file": file})
    server.state = AWAY
    ready = await ask(settings, server, "/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, status)
    assert int(ready.headers["Retry-After"]) > 0
    health = (await ask(settings, server, "/health")).json()
    assert (health["ai_model_loading"], health["ai_model_error"] is None) == (loading, loading)


async def test_ready_is_200_when_everything_works(serve: Serve, server: FakeServer) -> None:
    async with serve(workers=True) as address, httpx.AsyncClient() as client:
        statuses = set()
        while (answer := await client.get(f"http://{address}/health/ready")).status_code != 200:
            statuses.add(answer.json()["status"])
        assert statuses <= {"starting"}
        server.state = ModelHealth(False, True, None, "unknown")
        assert (await client.get(f"http://{address}/health/ready")).json()["status"] == "loading"
        assert (await client.get(f"http://{address}/health/live")).status_code == 200


async def test_a_loop_that_fails_is_named(settings: Settings, server: FakeServer) -> None:
    background = Background()
    transport = httpx.ASGITransport(create_app(settings, server, background=background))
    background.report("take captures", OSError("10.0.0.1:6379 is away"))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        answer = await client.get("/health/ready")
    assert answer.json()["failing"] == ["take captures"]
    assert "10.0.0.1" not in answer.text


def test_a_missing_or_half_written_state_file_is_ignored(tmp_path: Path) -> None:
    assert read_state(None) is None
    assert read_state(tmp_path / "nothing") is None
    (tmp_path / "state").write_text("loa")
    assert read_state(tmp_path / "state") is None
