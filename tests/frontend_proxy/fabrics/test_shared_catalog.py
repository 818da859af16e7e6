"""Two proxies whose saved fabrics are on one S3 server, each with a folder of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from catalog import Catalog, Fabric
from frontend_proxy.app import create_app
from frontend_proxy.fabrics import catalog_routes as fabrics
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.schemas import Capture, validate
from frontend_proxy.settings import Settings
from tests.bucket import Bucket, running_bucket
from tests.catalog.test_catalog import details, maps
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE

CATALOG = "/api/fabric/catalog"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with running_bucket() as bucket:
        yield bucket


class Proxy:
    def __init__(self, settings: Settings) -> None:
        app = create_app(settings, FakeServer())
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lucy.test")
        (lists,) = (route.endpoint.get for route in app.routes if route.path == CATALOG)
        self.fabrics = lists.__self__
        self.catalog: Catalog = self.fabrics._catalog


@pytest.fixture
async def proxies(
    settings: Settings,
    bucket: Bucket,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[list[Proxy]]:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fabrics, "REFRESH_S", 0.05)
    url = f"{bucket.url}/{request.node.name}"
    async with AsyncExitStack() as stack:
        both = [
            Proxy(settings.model_copy(update={"catalog_url": url, "catalog_dir": tmp_path / name}))
            for name in ("one", "other")
        ]
        for proxy in both:
            await stack.enter_async_context(proxy.client)
        yield both


async def saved(proxy: Proxy) -> Fabric:
    return await asyncio.to_thread(proxy.catalog.add, details("Attic wool"), maps())


async def test_a_fabric_saved_by_one_proxy_is_served_by_the_other(proxies: list[Proxy]) -> None:
    one, other = proxies
    looking = asyncio.create_task(other.fabrics.keep_fresh())
    fabric = await saved(one)
    async with asyncio.timeout(20):
        while (shown := await other.client.get(f"/api/fabric/{fabric.id}")).status_code != 200:
            await asyncio.sleep(0.02)
    looking.cancel()
    lists = [await proxy.client.get(CATALOG) for proxy in proxies]
    assert lists[0].json() == lists[1].json()
    assert lists[0].headers["ETag"] == lists[1].headers["ETag"]
    texture = await other.client.get(shown.json()["fabric"]["diffuseUrl"])
    assert (texture.status_code, texture.content) == (200, b"diffuse")
    assert (await other.client.get(f"/textures/{'0' * 64}.jpg")).status_code == 404
    assert (await other.client.delete(f"/api/fabric/{fabric.id}")).status_code == 200
    await asyncio.to_thread(one.catalog.refresh)
    assert (await one.client.get(f"/api/fabric/{fabric.id}")).status_code == 404


async def test_before_the_first_refresh_the_catalog_is_unavailable_and_captures_work(
    proxies: list[Proxy], settings: Settings
) -> None:
    """A list without the saved fabrics would look as if they had been lost."""
    for path in (CATALOG, "/api/fabric/attic-wool"):
        answer = await proxies[0].client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
        assert answer.headers["Retry-After"]
    jobs = JobFactory(settings, proxies[0].catalog)
    job = await jobs.capture(validate(Capture, {**CAPTURE, "fabric_id": "attic-wool"}))
    assert job.fabric is None


async def test_an_unreachable_bucket(proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = proxies
    fabric = await saved(one)
    await asyncio.to_thread(other.catalog.refresh)
    urls = {role: texture.url for role, texture in fabric.textures.items()}
    assert (await other.client.get(urls["normal"])).status_code == 200
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    other.catalog._own._bucket = Catalog(Path("unused"), url=Bucket.url)._own._bucket
    assert (await other.client.get(f"/api/fabric/{fabric.id}")).status_code == 200
    assert (await other.client.get(urls["normal"])).status_code == 200, "it is kept here"
    for answer in (
        await other.client.get(urls["diffuse"]),
        await other.client.delete(f"/api/fabric/{fabric.id}"),
        await other.client.put(f"/api/fabric/{fabric.id}", json={"name": "New", "roughness": 1}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
