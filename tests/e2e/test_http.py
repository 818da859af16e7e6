"""Every HTTP endpoint of the contract, through the proxy and the real server."""

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

KEYFRAMES = Path(__file__).parents[1] / "data" / "keyframes"


def base64_of(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def capture(name: str, **fields: Any) -> dict[str, Any]:
    """The body of a capture, from a keyframe that a real client sent."""
    folder = KEYFRAMES / name
    message = json.loads((folder / "message.json").read_text())
    return {
        "user_image": "data:image/jpeg;base64," + base64_of(folder / "camera_frame.jpg"),
        "jacket_render": base64_of(folder / "jacket_render.png"),
        "pose": message["pose"],
        "fabric_id": message.get("fabric_id"),
        **fields,
    }


def frame_of(name: str) -> np.ndarray:
    return cv2.imread(str(KEYFRAMES / name / "camera_frame.jpg"))


def picture(data_uri: str) -> np.ndarray:
    prefix, data = data_uri.split(",")
    assert prefix == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def client(stack):
    with httpx.Client(base_url=stack.url, timeout=120) as client:
        yield client


def unet_inferences(stack) -> int:
    """UNet rows computed so far, by Triton's own statistics."""
    return stack.inferences("unet")


def test_health_says_that_the_model_is_there(client):
    body = client.get("/health").json()
    assert body.pop("timestamp")
    model = body["model"]
    assert (model.pop("family"), model.pop("stand_ins")) == ("Stable Diffusion inpainting", [])
    assert {"name", "commercial", "note"} == model.pop("licence").keys()
    assert body == {
        "status": "healthy",
        "ai_model_loaded": True,
        "ai_model_loading": False,
        "ai_model_error": None,
        "fabric_processor_ready": True,
        "device": "cpu",
        "active_connections": 0,
        "model": {"checkpoint": "lucy-tiny", "profile": "cpu", "precision": "fp32", "loras": []},
    }


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["opaque_over_video", "transparent_no_pose", "transparent_off_body"])
def test_a_capture_of_a_real_keyframe(client, name):
    response = client.post("/virtual-tryon", json=capture(name))
    body = response.json()
    assert response.status_code == 200, body
    assert (body["success"], body["mode"]) == (True, "ai_enhanced")
    assert body["steps"] > 0
    assert body["latency_ms"]["total"] > 0
    frame, result = frame_of(name), picture(body["result_image"])
    assert result.shape == frame.shape
    untouched = (result == frame).all(axis=2)
    assert untouched[:16].all()  # bit for bit, far above any garment
    assert 0.2 < untouched.mean() < 0.99


def test_a_photo_of_the_garment_that_this_checkpoint_cannot_use(client):
    """Beside a render the photo is ignored, and the report says so."""
    photo = base64_of(KEYFRAMES.parent / "trials" / "cut_out.png")
    before = client.post("/virtual-tryon", json=capture("transparent_no_pose", seed=1, steps=2)).json()
    both = capture("transparent_no_pose", seed=1, steps=2, garment_image=photo, category="tops")
    beside = client.post("/virtual-tryon", json=both).json()
    assert (beside["mode"], beside["result_image"]) == ("ai_enhanced", before["result_image"])
    assert "garment_image was not used" in beside["detail"]

    alone = client.post("/virtual-tryon", json=both | {"jacket_render": None}).json()
    assert (alone["mode"], alone["mode_reason"], alone["steps"]) == ("fallback", "needs_render", 0)
    assert "jacket_render" in alone["detail"]
    assert np.array_equal(picture(alone["result_image"]), frame_of("transparent_no_pose"))


def test_a_seed_repeats_a_capture_and_another_changes_it(client):
    def image(seed: int) -> str:
        body = client.post(
            "/api/virtual-tryon", json=capture("transparent_no_pose", seed=seed, steps=3)
        ).json()
        assert (body["seed"], body["steps"]) == (seed, 3)
        return body["result_image"]

    assert image(1) == image(1) != image(2)


def test_strength_changes_the_picture(client):
    images = {
        client.post(
            "/virtual-tryon", json=capture("transparent_no_pose", seed=1, steps=3, strength=strength)
        ).json()["result_image"]
        for strength in (0.3, 0.9)
    }
    assert len(images) == 2


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"user_image": None}, 400, "INVALID_INPUT"),
        ({"user_image": base64.b64encode(b"no image").decode()}, 400, "IMAGE_DECODE"),
        ({"steps": 0}, 400, "INVALID_INPUT"),
    ],
)
def test_bad_input_is_refused(client, fields, status, code):
    response = client.post("/virtual-tryon", json=capture("transparent_no_pose", **fields))
    body = response.json()
    assert (response.status_code, body["code"], body["success"]) == (status, code, False)
    assert body["error"] == body["detail"]


def test_a_frame_with_a_good_header_and_broken_pixels_fails_alone(client):
    """The proxy reads headers only; what lies behind them comes to light in Triton."""
    png = io.BytesIO()
    Image.effect_noise((320, 240), 50).convert("RGB").save(png, "PNG")
    broken = base64.b64encode(png.getvalue()[:2000]).decode()
    response = client.post("/virtual-tryon", json=capture("transparent_no_pose", user_image=broken))
    assert (response.status_code, response.json()["code"]) == (400, "IMAGE_DECODE")
    assert client.post("/virtual-tryon", json=capture("transparent_no_pose", steps=2)).status_code == 200


async def test_hanging_up_stops_the_job_s_steps(stack):
    async with httpx.AsyncClient(base_url=stack.url, timeout=120) as client:
        before = unet_inferences(stack)
        request = asyncio.create_task(
            client.post("/virtual-tryon", json=capture("transparent_no_pose", steps=50, guidance_scale=1))
        )
        while unet_inferences(stack) < before + 3:
            await asyncio.sleep(0.02)
        request.cancel()
    at_hang_up = unet_inferences(stack)
    await asyncio.sleep(1)
    later = unet_inferences(stack)
    assert later <= at_hang_up + 3  # two ticks, and one that was under way
    await asyncio.sleep(1)
    assert unet_inferences(stack) == later


def test_the_catalog_s_textures_load_from_another_origin(client):
    body = client.get("/api/fabric/catalog").json()
    assert body["success"] is True
    assert body["count"] == len(body["fabrics"]) >= 8
    for fabric in body["fabrics"]:
        assert "color" not in fabric
        for name in ("diffuseUrl", "normalUrl", "roughnessUrl", "thumbnail"):
            texture = client.get(fabric[name], headers={"Origin": "https://shop.example"})
            assert texture.status_code == 200
            assert texture.headers["Access-Control-Allow-Origin"] == "*"
            Image.open(io.BytesIO(texture.content)).verify()


@pytest.fixture(scope="module")
def weave_photo():
    weave = np.indices((400, 400)).sum(axis=0) // 4 % 2 * 90 + 80
    noisy = weave + np.random.default_rng(0).normal(0, 6, weave.shape)
    return cv2.imencode(".jpg", noisy.clip(0, 255).astype(np.uint8))[1].tobytes()


def test_a_scan_gives_maps_as_data_uris(client, weave_photo):
    body = client.post("/api/fabric/scan", json={"image": base64.b64encode(weave_photo).decode()}).json()
    assert body["success"] is True
    assert body["fabric_id"]
    for name in ("diffuseUrl", "normalUrl", "roughnessUrl", "aoUrl", "heightUrl", "ormUrl"):
        data = body[name].partition(";base64,")[2]
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (1024, 1024)


def test_a_saved_scan_is_worn_and_deleted(client, weave_photo):
    """Its id goes where a built-in fabric's goes: the catalog, its textures' URLs, a capture."""
    before = client.get("/api/fabric/catalog")
    saved = client.post(
        "/api/fabric/scan",
        data={"name": "Checked wool", "fabric_class": "wool", "size": 256, "save": "true"},
        files={"image": ("photo.jpg", weave_photo, "image/jpeg")},
    ).json()
    url = f"/api/fabric/{saved['fabric_id']}"
    with_it = client.get("/api/fabric/catalog", headers={"If-None-Match": before.headers["ETag"]})
    assert saved["fabric_id"] in {fabric["id"] for fabric in with_it.json()["fabrics"]}
    assert Image.open(io.BytesIO(client.get(saved["normalUrl"]).content)).size == (256, 256)
    worn = capture("transparent_no_pose", fabric_id=saved["fabric_id"], steps=2)
    assert client.post("/virtual-tryon", json=worn).json()["mode"] == "ai_enhanced"
    assert client.delete(url).json()["success"] is True
    assert client.get(url).status_code == 404
    unchanged = client.get("/api/fabric/catalog", headers={"If-None-Match": before.headers["ETag"]})
    assert unchanged.status_code == 304
