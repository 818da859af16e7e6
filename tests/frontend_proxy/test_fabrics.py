import base64
import io

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.frontend_proxy.conftest import Serve, encoded

URLS = ("diffuseUrl", "normalUrl", "roughnessUrl", "thumbnail")


async def test_the_catalog_s_urls_lead_to_its_textures(client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/fabric/catalog", headers={"Host": "shop.test:8080"})).json()
    assert body["success"] is True
    assert body["count"] == len(body["fabrics"]) > 0
    for fabric in body["fabrics"]:
        assert {"id", "name", "roughness", "metalness", *URLS} <= fabric.keys()
        assert "color" not in fabric  # it makes the client ignore the textures
        for name in {"thumbnail", *(field for field in fabric if field.endswith("Url"))}:
            assert fabric[name].startswith("http://shop.test:8080/textures/")
            assert (await client.head(fabric[name])).status_code == 200


async def test_a_public_url_goes_before_the_request_s_host(serve: Serve) -> None:
    async with serve(public_url="https://cdn.example/lucy/") as address, httpx.AsyncClient() as client:
        body = (await client.get(f"http://{address}/api/fabric/catalog")).json()
    assert body["fabrics"][0]["diffuseUrl"].startswith("https://cdn.example/lucy/textures/")


async def test_a_trusted_reverse_proxy_s_scheme_is_believed(serve: Serve) -> None:
    """Else a page on https gets textures on http, which browsers block as mixed content."""
    forwarded = {"X-Forwarded-Proto": "https", "Host": "shop.example"}
    for trusted, scheme in (("127.0.0.1", "https"), ("10.0.0.1", "http")):
        async with serve(forwarded_allow_ips=trusted) as address, httpx.AsyncClient() as client:
            body = (await client.get(f"http://{address}/api/fabric/catalog", headers=forwarded)).json()
        assert body["fabrics"][0]["diffuseUrl"].startswith(f"{scheme}://shop.example/textures/")


async def test_textures_are_cached_and_cross_origins(client: httpx.AsyncClient) -> None:
    url = (await client.get("/api/fabric/catalog")).json()["fabrics"][0]["diffuseUrl"]
    first = await client.get(url, headers={"Origin": "https://shop.example"})
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=" in first.headers["Cache-Control"]
    assert first.headers["Content-Type"] in ("image/png", "image/jpeg", "image/webp")
    Image.open(io.BytesIO(first.content)).verify()
    again = await client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def photo() -> str:
    """A woven-looking photo: noise over a grid."""
    y, x = np.mgrid[:256, :256]
    grid = 120 + 40 * np.sin(x / 3) * np.sin(y / 3) + np.random.default_rng(0).normal(0, 8, (256, 256))
    buffer = io.BytesIO()
    Image.fromarray(grid.clip(0, 255).astype(np.uint8)).convert("RGB").save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
async def test_a_scan_gives_maps_as_data_uris(serve: Serve, prefix: str) -> None:
    async with serve(workers=True) as address, httpx.AsyncClient(timeout=60) as client:
        response = await client.post(f"http://{address}/api/fabric/scan", json={"image": prefix + photo()})
    body = response.json()
    assert (response.status_code, body["success"]) == (200, True)
    assert body["fabric_id"].startswith("custom-")
    assert 0 <= body["roughness"] <= 1
    assert 0 <= body["metalness"] <= 1
    assert body["material"]
    assert "advice" in body["quality"]
    for name in URLS:
        media_type, data = body[name].removeprefix("data:").split(";base64,")
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert image.get_format_mimetype() == media_type


async def test_a_photo_that_cannot_be_scanned(serve: Serve) -> None:
    async with serve(workers=True) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        broken = await client.post("/api/fabric/scan", json={"image": "Zm9v"})
        tiny = await client.post("/api/fabric/scan", json={"image": encoded("RGB", "PNG", size=(8, 8))})
    assert (broken.status_code, broken.json()["code"]) == (400, "IMAGE_DECODE")
    assert (tiny.status_code, tiny.json()["code"]) == (400, "INVALID_INPUT")


async def test_a_photo_of_too_many_bytes(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/fabric/scan", json={"image": "A" * (14 * 2**20)})
    assert (response.status_code, response.json()["code"]) == (413, "IMAGE_DECODE")
