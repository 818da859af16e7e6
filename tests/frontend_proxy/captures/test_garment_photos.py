"""Captures with a photo of the garment: as JSON and as a form, and what an Idempotency-Key makes of them."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

from frontend_proxy.captures import routes
from frontend_proxy.schemas import Capture, validate
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, FRAME, RENDER


@pytest.mark.parametrize("as_form", [False, True])
async def test_a_photo_of_the_garment_and_its_category(
    client: httpx.AsyncClient, server: FakeServer, as_form: bool
) -> None:
    frame, garment, mask = (base64.b64decode(uri.partition(",")[2]) for uri in (FRAME, RENDER, RENDER))
    pictures = {"user_image": frame, "garment_image": garment, "mask": mask}
    if as_form:
        sent: dict[str, Any] = {
            "files": pictures,
            "data": {"category": "one-pieces", "jacket_render": "null"},
        }
    else:
        texts = {name: base64.b64encode(picture).decode() for name, picture in pictures.items()}
        sent = {"json": {**texts, "category": "one-pieces"}}
    response = await client.post("/virtual-tryon", **sent)
    assert response.status_code == 200, response.text
    (job,) = server.finished
    assert (job.jacket_render, job.garment_image, job.mask, job.category) == (
        None,
        garment,
        mask,
        "one-pieces",
    )


async def test_another_garment_is_another_request(client: httpx.AsyncClient) -> None:
    """Under one Idempotency-Key; the same request again gets the same answer."""

    async def send(**fields: object) -> httpx.Response:
        return await client.post(
            "/virtual-tryon", json={**CAPTURE, **fields}, headers={"Idempotency-Key": "garments"}
        )

    first = await send(garment_image=FRAME)
    assert (await send(garment_image=FRAME)).json()["result_id"] == first.json()["result_id"]
    for other in (
        {},
        {"garment_image": RENDER},
        {"mask": FRAME},
        {"garment_image": FRAME, "category": "tops"},
    ):
        assert (await send(**other)).status_code == 422


def test_the_fingerprint_of_a_request_without_a_garment_stays() -> None:
    """Keys are kept across an upgrade: the same request, repeated after it, was refused as another one."""
    capture = validate(Capture, {"user_image": "Zm9v", "jacket_render": "YmFy", "seed": 7})
    fields = {
        "pose": None,
        "fabric_id": None,
        "render_fit": None,
        "seed": 7,
        "steps": None,
        "strength": None,
        "guidance_scale": None,
        "num_samples": 1,
        "output_format": "png",
        "webhook_url": None,
    }
    parts = (b"foo", b"bar", json.dumps(fields, separators=(",", ":")).encode())
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    assert routes.fingerprint(capture) == hashlib.sha256(digests).hexdigest()
