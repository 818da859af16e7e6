"""The five checks of the test script that came with the frontend's first backend (`test_backend.py`)."""

import base64
import io
import json

import httpx
import pytest
from PIL import Image
from websockets.sync.client import connect


def flat(size, colour):
    """Its pictures are JPEGs of one flat colour, as data URIs."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def client(stack):
    with httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as client:
        yield client


def test_health(client):
    assert client.get("/health").json()["status"] == "healthy"


def test_fabric_catalog(client):
    catalog = client.get("/api/fabric/catalog").json()
    assert catalog["success"]
    assert catalog["count"] == len(catalog["fabrics"]) > 0


def test_fabric_scanning(client):
    """A flat colour is a poor photo of cloth, and an honest one."""
    answer = client.post("/api/fabric/scan", json={"image": flat((800, 800), "steelblue")})
    assert answer.status_code == 200, answer.text
    scan = answer.json()
    assert scan["fabric_id"]
    assert all(scan[name].startswith("data:image/") for name in ("diffuseUrl", "normalUrl", "roughnessUrl"))


def test_virtual_tryon(client):
    pictures = {"user_image": flat((640, 480), "grey"), "jacket_render": flat((640, 480), "navy")}
    answer = client.post("/virtual-tryon", json={**pictures, "pose": None, "fabric_id": "denim-blue"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["result_image"].startswith("data:image/png;base64,")


def test_websocket_connection(stack):
    pictures = {"camera_frame": flat((640, 480), "grey"), "jacket_render": flat((640, 480), "navy")}
    with connect(f"ws{stack.url.removeprefix('http')}/ws", max_size=None, proxy=None) as socket:
        socket.send(json.dumps({"type": "keyframe", "timestamp": 1707735000000, **pictures, "pose": None}))
        answer = json.loads(socket.recv(timeout=30))
    assert (answer["type"], answer["timestamp"]) == ("keyframe_result", 1707735000000)
