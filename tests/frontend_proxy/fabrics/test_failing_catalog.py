"""The catalog's routes while its disk fails or hangs: a clear JSON error, and everything else goes on."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from catalog import Catalog, Fabric
from catalog.search import MAX_WORDS
from catalog.store import Store
from frontend_proxy.app import create_app
from frontend_proxy.fabrics import catalog_routes
from frontend_proxy.settings import Settings
from tests.catalog.test_catalog import details, maps
from tests.fakes import FakeServer

CATALOG = "/api/fabric/catalog"
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def mine(settings: Settings) -> Fabric:
    return Catalog(settings.catalog_dir).add(details("Attic wool"), maps())


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body["success"] is False
    assert body["error"] == body["detail"]
    return answer.status_code, body["code"]


@pytest.mark.parametrize(
    "query",
    [
        {"text": "x" * 59_000},
        {"text": "ab " * 19_000},
        {"text": "a " * (MAX_WORDS + 1)},
        {"tag": "y" * 59_000},
    ],
    ids=["one word", "many words", "one word too many", "tag"],
)
async def test_a_long_search_is_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await client.get(CATALOG, params=query)
    assert refusal(answer) == (400, "INVALID_INPUT")
    assert "at most" in answer.json()["error"]
    assert len(answer.content) < 1000


async def test_a_long_id_is_no_fabric(client: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE"):
        answer = await client.request(method, f"/api/fabric/{'x' * 50_000}")
        assert refusal(answer) == (404, "NOT_FOUND")
        assert len(answer.content) < 1000


async def test_a_disk_that_fails(
    client: httpx.AsyncClient, mine: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BROKEN

    monkeypatch.setattr(os, "scandir", fail)
    assert refusal(await client.get(CATALOG)) == (503, "STORAGE_UNAVAILABLE")
    monkeypatch.setattr("catalog.store._load", fail)
    for method in ("GET", "DELETE", "PUT"):
        answer = await client.request(method, f"/api/fabric/{mine.id}", json={"name": "New", "roughness": 1})
        assert refusal(answer) == (503, "STORAGE_UNAVAILABLE")
        assert answer.headers["Retry-After"]
    assert (await client.get("/api/fabric/denim-blue")).status_code == 200


async def test_textures_that_are_missing_or_cannot_be_read(
    client: httpx.AsyncClient, mine: Fabric, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.catalog_dir / "textures"
    (folder / mine.textures["normal"].filename).unlink()
    assert refusal(await client.get(mine.textures["normal"].url)) == (404, "NOT_FOUND")
    assert mine.id in (await client.get(CATALOG)).text
    assert (await client.get(mine.textures["diffuse"].url)).content == b"diffuse"

    is_file = Path.is_file

    def fails(path: Path) -> bool:
        if folder in path.parents:
            raise BROKEN
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", fails)
    assert refusal(await client.get(mine.textures["diffuse"].url)) == (503, "STORAGE_UNAVAILABLE")
    answer = await client.post(mine.textures["diffuse"].url)
    assert refusal(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
async def hanging(
    settings: Settings, mine: Fabric, released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a proxy whose look-ups and deletions of saved fabrics hang."""
    monkeypatch.setattr(Store, "get", lambda *_: released.wait(60))
    monkeypatch.setattr(Store, "delete", lambda *_: released.wait(60))
    transport = httpx.ASGITransport(create_app(settings, FakeServer()))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        yield client


async def test_a_disk_that_hangs_holds_up_nobody_else(
    hanging: httpx.AsyncClient, mine: Fabric, released: threading.Event
) -> None:
    """More calls hang than asyncio and Starlette have threads; whatever needs those threads is answered."""
    calls = [
        asyncio.create_task(hanging.request(method, f"/api/fabric/{mine.id}"))
        for method in ("GET", "DELETE")
        for _ in range(60)
    ]
    await asyncio.sleep(0.1)
    built_in = Catalog().list()[0].textures["diffuse"].url
    async with asyncio.timeout(catalog_routes.READ_TIMEOUT_S - 2):
        assert (await hanging.get(built_in)).status_code == 200
        assert (await hanging.get("/studio/client.js")).status_code == 200
        await asyncio.to_thread(lambda: None)
    released.set()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_routes, "READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr(catalog_routes, "CHANGE_TIMEOUT_S", 0.2)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_disk_that_hangs_is_given_up(
    method: str, impatient: None, hanging: httpx.AsyncClient, mine: Fabric
) -> None:
    answer = await hanging.request(method, f"/api/fabric/{mine.id}")
    assert refusal(answer) == (503, "STORAGE_UNAVAILABLE")
    assert answer.headers["Retry-After"]
