import io

import httpx
from PIL import Image


async def test_textures_are_cached_for_good_and_cross_origins(client: httpx.AsyncClient) -> None:
    url = (await client.get("/api/fabric/catalog")).json()["fabrics"][0]["diffuseUrl"]
    first = await client.get(url, headers={"Origin": "https://shop.example"})
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert first.headers["Content-Type"] in ("image/png", "image/jpeg", "image/webp")
    Image.open(io.BytesIO(first.content)).verify()
    again = await client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
