"""Two proxies that keep pictures and fabrics in a bucket, which becomes unavailable."""

import asyncio
import base64

import httpx
import pytest

from catalog.catalog import BUILT_IN_TEXTURES, read_built_in
from tests.bucket import Bucket, running_bucket
from tests.cluster import stand_in
from tests.faults.test_tritons import balanced
from tests.frontend_proxy.conftest import CAPTURE
from tests.load import accepted, ends

pytestmark = pytest.mark.faults

CLOTH = BUILT_IN_TEXTURES / read_built_in()["wool-navy"].textures["diffuse"].filename


@pytest.fixture
def bucket():
    with running_bucket() as bucket:
        yield bucket


@pytest.mark.parametrize(("way", "back"), [(Bucket.hang, Bucket.go_on), (Bucket.refuse, Bucket.accept)])
@pytest.mark.timeout(240)
async def test_a_bucket_that_becomes_unavailable_loses_no_capture(cluster, redis, bucket, way, back):
    triton = cluster.triton(stand_in(cluster.folder / "models", step_ms=20))
    nginx, (proxy, _) = await asyncio.to_thread(
        balanced,
        cluster,
        [triton],
        REDIS_URL=redis.url,
        RESULTS_URL=f"{bucket.url}/captures",
        CATALOG_URL=f"{bucket.url}/catalog",
        MAX_CAPTURES="4",
        **bucket.environment,
    )
    async with httpx.AsyncClient(base_url=nginx.base, timeout=60) as client:
        photo = base64.b64encode(CLOTH.read_bytes()).decode()
        scan = {"image": photo, "save": True, "name": "Attic wool", "size": 256}
        assert (await client.post("/api/fabric/scan", json=scan)).status_code == 200
        (before,) = await accepted(nginx.base, 1)
        assert await ends(nginx.base, [before], within_s=60) == {"succeeded": 1}
        (image,) = (await client.get(before)).json()["result"]["images"]
        await asyncio.sleep(6)  # until the other proxy has read the catalog, too

        captures = await accepted(nginx.base, 20)
        way(bucket)
        headers = {"Prefer": "respond-async"}
        answer = await client.post(f"{proxy.base}/virtual-tryon", json=CAPTURE, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
        assert answer.headers["Retry-After"], "its pictures cannot be kept"
        # Asks a proxy directly: nginx would take two 503 in a row for two unavailable servers.
        for path in (image["url"], before):
            answer = await client.get(httpx.URL(proxy.base).join(httpx.URL(path).raw_path.decode()))
            assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
            assert answer.headers["Retry-After"]
        for _ in range(4):  # both proxies
            answer = await client.get("/api/fabric/attic-wool")
            assert answer.json()["fabric"]["name"] == "Attic wool", "what was read stays"
        answer = await client.delete(f"{proxy.base}/api/fabric/attic-wool")
        assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_UNAVAILABLE")

        back(bucket)
        found = await ends(nginx.base, captures, within_s=120)
        print(f"\na bucket that {way.__name__}s: captures: {dict(found)}")
        assert found == {"succeeded": 20}
        for path in captures:
            assert (await client.get(path)).json()["result"]["result_image"].startswith("data:image/png")
        assert (await client.get(image["url"])).status_code == 200
        assert (await client.delete("/api/fabric/attic-wool")).status_code == 200
