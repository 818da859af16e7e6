import base64
import hashlib
import io
import json
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from catalog import Catalog
from fabric import ScanOptions, scan
from frontend_proxy.fabrics.catalog_routes import URL_FIELDS
from frontend_proxy.settings import Settings
from tests.frontend_proxy.conftest import Serve, encoded

SCAN = "/api/fabric/scan"
TRIALS = Path(__file__).parents[2] / "data" / "trials"
CORNERS = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]


def photo() -> bytes:
    """A woven-looking photo: noise over a grid."""
    y, x = np.mgrid[:256, :256]
    grid = 120 + 40 * np.sin(x / 3) * np.sin(y / 3) + np.random.default_rng(0).normal(0, 8, (256, 256))
    buffer = io.BytesIO()
    Image.fromarray(grid.clip(0, 255).astype(np.uint8)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


PHOTO = photo()
BASE64 = base64.b64encode(PHOTO).decode()


@pytest.fixture
async def scanner(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a proxy that has its worker processes."""
    async with (
        serve(workers=True) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
    ):
        yield client


def image(data_uri: str) -> tuple[bytes, Image.Image]:
    media_type, data = data_uri.removeprefix("data:").split(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.get_format_mimetype() == media_type
    return base64.b64decode(data), picture


async def test_a_scan_gives_every_map_as_a_data_uri(scanner: httpx.AsyncClient, settings: Settings) -> None:
    bare = await scanner.post(SCAN, json={"image": BASE64})
    body = bare.json()
    assert (bare.status_code, body["success"]) == (200, True)
    assert bare.headers["Content-Type"] == "application/json"
    assert body["fabric_id"].startswith("custom-")
    assert 0 <= body["roughness"] <= 1
    assert body["metalness"] == 0
    assert body["material"]["sheen"] > 0
    assert "color" not in body["material"]
    assert isinstance(body["quality"]["advice"], list)
    assert "alphaUrl" not in body  # only cloth with holes has it
    for field in set(URL_FIELDS.values()) - {"alphaUrl"}:
        assert image(body[field])[1].size == ((256, 256) if field == "thumbnail" else (1024, 1024))
    assert not settings.catalog_dir.exists()  # nobody asked to save it

    prefixed = await scanner.post(SCAN, json={"image": "data:image/jpeg;base64," + BASE64})
    assert prefixed.json().pop("fabric_id") != body["fabric_id"]
    assert prefixed.json()["diffuseUrl"] == body["diffuseUrl"]


async def test_a_form_asks_for_the_same_as_json(scanner: httpx.AsyncClient) -> None:
    options = {"fabric_class": "denim", "size": 256, "physical_width_mm": 80, "format": "png"}
    by_json = await scanner.post(SCAN, json={"image": BASE64, "corners": CORNERS, **options})
    by_form = await scanner.post(
        SCAN,
        data={"corners": json.dumps(CORNERS), "name": "", **options},
        files={"image": ("p.jpg", PHOTO, "image/jpeg")},
    )
    one, other = by_json.json(), by_form.json()
    assert one.pop("fabric_id") != other.pop("fabric_id")
    assert one == other
    assert one["name"] == "Scanned denim"
    _, picture = image(one["diffuseUrl"])
    assert (picture.format, picture.size) == ("PNG", (256, 256))
    wanted = scan(PHOTO, ScanOptions(corners=CORNERS, **options))  # type: ignore[arg-type]
    # Not by byte: BLAS adds in another order with another number of threads, and a value may round otherwise.
    difference = np.int16(picture) - np.int16(Image.open(io.BytesIO(wanted.diffuse.data)))
    assert np.abs(difference).max() <= 1
    assert np.count_nonzero(difference) < 100
    assert one["quality"]["tile_width_mm"] == wanted.quality["tile_width_mm"] > 0


async def test_a_photo_with_the_flash_may_come_along(scanner: httpx.AsyncClient) -> None:
    """It changes nothing here, since these photos do not tell their exposure, and the answer says so."""
    files = {"image": PHOTO, "image_flash": PHOTO}
    body = (await scanner.post(SCAN, data={"size": "256"}, files=files)).json()
    assert body["quality"]["flash"] is None
    assert "the photo with the flash was not used" in body["detail"]
    refused = await scanner.post(SCAN, json={"image": BASE64, "image_flash": "AAAA"})
    assert refused.status_code == 400
    alone = await scanner.post(SCAN, content=PHOTO, headers={"Content-Type": "image/jpeg"})
    assert alone.status_code == 200  # as before there was a second field


async def test_a_saved_scan_is_in_the_catalog_and_stays(
    scanner: httpx.AsyncClient, settings: Settings
) -> None:
    wanted = {"image": BASE64, "size": 256, "fabric_class": "wool", "save": True}
    first = (await scanner.post(SCAN, json={**wanted, "name": "  Attic wool "})).json()
    entry = (await scanner.get(f"/api/fabric/{first['fabric_id']}")).json()["fabric"]
    assert (first["fabric_id"], entry["name"], first["name"]) == ("attic-wool", "Attic wool", "Attic wool")
    assert entry["tags"] == ["scanned", "wool"]
    assert entry["provenance"]["options"] == {"fabric_class": "wool", "size": 256}
    for field in (*set(URL_FIELDS.values()) - {"alphaUrl"}, "roughness", "metalness", "material", "quality"):
        assert first[field] == entry[field]
    unsaved = (await scanner.post(SCAN, json={**wanted, "save": False})).json()
    for field in set(URL_FIELDS.values()) - {"alphaUrl"}:
        texture = await scanner.get(first[field])
        assert texture.content == image(unsaved[field])[0]
        assert hashlib.sha256(texture.content).hexdigest() in first[field]

    form = {key: str(value) for key, value in wanted.items() if key != "image"}
    again = await scanner.post(SCAN, data=form, files={"image": PHOTO})
    assert again.json()["fabric_id"] == "scanned-wool"  # no name was given
    restarted = Catalog(settings.catalog_dir)
    assert {"attic-wool", "scanned-wool"} <= {fabric.id for fabric in restarted.list(tag="scanned")}


@pytest.mark.nightly
async def test_the_number_of_saved_fabrics_is_limited(serve: Serve) -> None:
    async with (
        serve(workers=True, max_saved_fabrics=1) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
    ):
        wanted = {"image": BASE64, "size": 256, "save": True}
        assert (await client.post(SCAN, json=wanted)).status_code == 200
        refused = await client.post(SCAN, json=wanted)
        assert (refused.status_code, refused.json()["code"]) == (507, "INSUFFICIENT_STORAGE")
        assert (await client.post(SCAN, json={**wanted, "save": False})).status_code == 200


async def test_a_photo_that_cannot_be_scanned(scanner: httpx.AsyncClient, settings: Settings) -> None:
    for fields, status, code in [
        ({"image": "Zm9v"}, 400, "IMAGE_DECODE"),
        ({"image": BASE64, "size": 300}, 400, "INVALID_INPUT"),
        ({"image": encoded("L", "PNG", size=(7500, 7000), colour="white")}, 413, "IMAGE_DECODE"),
    ]:
        response = await scanner.post(SCAN, json={**fields, "save": True})
        assert (response.status_code, response.json()["code"]) == (status, code)
    assert not settings.catalog_dir.exists()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"image": None}, "image"),
        ({"image": "no base64!"}, "image"),
        ({"name": "x" * 121}, "name"),
        ({"name": 5}, "name"),
        ({"save": "perhaps"}, "save"),
        ({"corners": CORNERS[:3]}, "corners"),
        ({"corners": [*CORNERS[:3], [0.5, 1.5]]}, "corners"),
        ({"corners": [*CORNERS[:3], [0.5, float("nan")]]}, "corners"),
        ({"corners": [1, 2, 3, 4]}, "corners"),
        ({"corners": "no json"}, "corners"),
        ({"fabric_class": "chainmail"}, "fabric_class"),
        ({"fabric_class": ["wool"]}, "fabric_class"),
        ({"size": 1000}, "size"),
        ({"size": "large"}, "size"),
        ({"physical_width_mm": -1}, "physical_width_mm"),
        ({"physical_width_mm": float("inf")}, "physical_width_mm"),
        ({"format": "gif"}, "format"),
    ],
)
async def test_a_wrong_value_names_its_field(
    client: httpx.AsyncClient, fields: dict[str, Any], named: str
) -> None:
    """Before the photo costs anything: this client's proxy has no worker."""
    content = json.dumps({"image": BASE64, **fields})
    response = await client.post(SCAN, content=content)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
    assert response.json()["error"].startswith(named)


async def test_a_form_s_wrong_values_are_named_too(client: httpx.AsyncClient) -> None:
    for field, value in [("corners", "[[0, 0"), ("size", "1e3"), ("save", "perhaps"), ("format", "gif")]:
        response = await client.post(SCAN, data={field: value}, files={"image": PHOTO})
        assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
        assert response.json()["error"].startswith(field)
    response = await client.post(SCAN, files={"photo": PHOTO})
    assert response.json()["error"].startswith("image: ")


async def test_a_photo_of_too_many_bytes(client: httpx.AsyncClient) -> None:
    response = await client.post(SCAN, json={"image": "A" * (28 * 2**20)})
    assert (response.status_code, response.json()["code"]) == (413, "IMAGE_DECODE")
    for size, code in [(20 * 2**20 + 1, "IMAGE_DECODE"), (55 * 2**20, "OVERLOADED")]:
        response = await client.post(SCAN, files={"image": b"\xff" * size})
        assert (response.status_code, response.json()["code"]) == (413, code)


async def test_a_scan_that_does_not_end_is_given_up(serve: Serve) -> None:
    async with (
        serve(workers=True, worker_timeout_s=3) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
    ):
        assert (await client.post(SCAN, json={"image": BASE64, "size": 256})).status_code == 200
        for process in multiprocessing.active_children():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGSTOP)
        late = await client.post(SCAN, json={"image": BASE64, "size": 256})
        assert (late.status_code, late.json()["code"]) == (504, "TIMEOUT")
        assert (await client.post(SCAN, json={"image": BASE64, "size": 256})).status_code == 200


async def test_a_net_keeps_its_holes_in_the_catalog(scanner: httpx.AsyncClient) -> None:
    files = {"image": ("net.png", (TRIALS / "net.png").read_bytes(), "image/png")}
    body = (await scanner.post(SCAN, files=files, data={"size": "256", "save": "true"})).json()
    entry = (await scanner.get(f"/api/fabric/{body['fabric_id']}")).json()["fabric"]
    assert entry["alphaUrl"] == body["alphaUrl"]
    assert entry["material"]["alphaTest"] == body["material"]["alphaTest"] == 0.5
    holes = Image.open(io.BytesIO((await scanner.get(entry["alphaUrl"])).content))
    assert holes.size == (256, 256)


async def test_advice_is_also_the_detail(scanner: httpx.AsyncClient) -> None:
    """A flat colour is what the frontend's own test script sends."""
    flat = {"image": encoded("RGB", "JPEG", size=(800, 800)), "size": 256}
    body = (await scanner.post(SCAN, json=flat)).json()
    assert body["success"]
    assert body["fabric_id"]
    assert body["detail"] == "; ".join(body["quality"]["advice"])
    assert "flat colour" in body["detail"] or "black" in body["detail"]
    assert body["tile_aspect"] == pytest.approx(1, abs=0.1)
