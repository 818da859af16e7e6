import io
import zipfile
from collections.abc import AsyncIterator

import httpx
import pytest

from catalog import Catalog, FabricDetails
from fabric.packs import FORMATS
from frontend_proxy.settings import Settings
from tests.frontend_proxy.conftest import Serve
from tests.frontend_proxy.fabrics.test_catalog_routes import MAPS

DENIM = "/api/fabric/denim-blue/pack"


@pytest.fixture
async def packing(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a proxy that has its worker processes."""
    async with (
        serve(workers=True) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
    ):
        yield client


async def test_every_format_of_a_built_in_fabric(packing: httpx.AsyncClient) -> None:
    for name, wanted in FORMATS.items():
        answer = await packing.get(DENIM, params={"format": name}, headers={"Origin": "https://shop.example"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == wanted.media_type
        assert f'filename="denim-blue{wanted.ending}"' in answer.headers["Content-Disposition"]
        assert answer.headers["Access-Control-Allow-Origin"]
        if name == "gltf":
            assert answer.content[:4] == b"glTF"
            assert (await packing.get(DENIM)).content == answer.content  # the default
        else:
            assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None


async def test_quick_look_shows_a_usdz_instead_of_saving_it(packing: httpx.AsyncClient) -> None:
    answer = await packing.get(DENIM, params={"format": "usdz"})
    assert answer.headers["Content-Disposition"].startswith("inline")


async def test_a_damaged_map_is_no_fault_of_the_client_s(
    packing: httpx.AsyncClient, settings: Settings
) -> None:
    maps = {**MAPS, "normal": (b"no picture", "image/png")}
    fabric = Catalog(settings.catalog_dir).add(FabricDetails(name="Broken", roughness=1), maps)
    answer = await packing.get(f"/api/fabric/{fabric.id}/pack", params={"format": "zip"})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "normal" in answer.json()["error"]


async def test_an_unchanged_pack_is_not_made_again(client: httpx.AsyncClient, settings: Settings) -> None:
    """This client's proxy has no worker: a 304 needs none."""
    catalog = Catalog(settings.catalog_dir)
    fabric = catalog.add(FabricDetails(name="Mine", roughness=1), MAPS)
    url = f"/api/fabric/{fabric.id}/pack"
    tags = set()
    for name in FORMATS:
        seen = await client.get(url, params={"format": name}, headers={"If-None-Match": "*"})
        assert (seen.status_code, seen.content) == (304, b"")
        assert seen.headers["Cache-Control"] == "no-cache"
        tags.add(seen.headers["ETag"])
    assert len(tags) == len(FORMATS)
    catalog.replace(fabric.id, FabricDetails(name="Mine", roughness=0.5))
    changed = await client.get(url, headers={"If-None-Match": "*"})
    assert changed.headers["ETag"] not in tags


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("/api/fabric/denim-blue/pack?format=fbx", 400, "INVALID_INPUT", "gltf, usdz, mtlx, zip"),
        ("/api/fabric/nothing/pack", 404, "NOT_FOUND", "nothing"),
        ("/api/fabric/catalog/pack", 404, "NOT_FOUND", "catalog"),
        ("/api/fabric/%2e%2e%2fx/pack?format=zip", 404, "NOT_FOUND", "there is no"),
    ],
)
async def test_what_does_not_exist_is_said_in_json(
    client: httpx.AsyncClient, path: str, status: int, code: str, says: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert says in answer.json()["error"]
    assert (await client.post("/api/fabric/denim-blue/pack")).status_code == 405


async def test_a_missing_texture_is_named(client: httpx.AsyncClient, settings: Settings) -> None:
    catalog = Catalog(settings.catalog_dir)
    fabric = catalog.add(FabricDetails(name="Mine", roughness=1), MAPS)
    catalog.texture(fabric.textures["normal"].filename).unlink()
    answer = await client.get(f"/api/fabric/{fabric.id}/pack")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert fabric.textures["normal"].filename in answer.json()["error"]
