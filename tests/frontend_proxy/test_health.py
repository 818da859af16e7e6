from pathlib import Path

import httpx
import pytest

from frontend_proxy.app import create_app
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
async def test_a_triton_that_loads_is_told_from_one_that_is_away(
    settings: Settings, server: FakeServer, tmp_path: Path, told, status: str, loading: bool
) -> None:
    """Triton's port opens only when all models are loaded: from outside both look the same."""
    file = tmp_path / "triton.state"
    write_state(file, told)
    settings = settings.model_copy(update={"triton_state_file": file})
    server.state = AWAY
    ready = await ask(settings, server, "/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, status)
    assert int(ready.headers["Retry-After"]) > 0
    health = (await ask(settings, server, "/health")).json()
    assert (health["ai_model_loading"], health["ai_model_error"] is None) == (loading, loading)


async def test_ready_is_200_when_all_of_it_works(serve: Serve, server: FakeServer) -> None:
    async with serve(workers=True) as address, httpx.AsyncClient() as client:
        statuses = set()
        while (answer := await client.get(f"http://{address}/health/ready")).status_code != 200:
            statuses.add(answer.json()["status"])
        assert statuses <= {"starting"}
        server.state = ModelHealth(False, True, None, "unknown")
        assert (await client.get(f"http://{address}/health/ready")).json()["status"] == "loading"
        assert (await client.get(f"http://{address}/health/live")).status_code == 200


def test_a_state_file_that_is_missing_or_half_written_says_nothing(tmp_path: Path) -> None:
    assert read_state(None) is None
    assert read_state(tmp_path / "nothing") is None
    (tmp_path / "state").write_text("loa")
    assert read_state(tmp_path / "state") is None
