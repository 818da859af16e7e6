"""Several garments in one keyframe, capture and batch, on the real server."""

import asyncio
import base64
import json

import cv2
import httpx
import msgpack
import numpy as np
import pytest
from websockets.asyncio.client import connect

from tests import outfits

RENDERS = {"jacket": outfits.jacket(), "shirt": outfits.shirt(), "trousers": outfits.trousers()}
LAYERS = {"jacket": 2, "shirt": 1, "trousers": 0}
FABRICS = {"jacket": "black-wool", "shirt": "white-linen", "trousers": "denim-blue"}


def data_uri(picture):
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def garment(name, **changed):
    render = data_uri(outfits.png(RENDERS[name]))
    return {"jacket_render": render, "fabric_id": FABRICS[name], "layer": LAYERS[name]} | changed


def capture(*names, **changed):
    return {
        "user_image": data_uri(outfits.jpeg(outfits.frame())),
        "pose": outfits.pose(),
        "steps": 4,
        "seed": 1,
        "garments": [garment(name) for name in names],
    } | changed


def decoded(picture):
    data = picture if isinstance(picture, bytes) else base64.b64decode(picture.partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def is_dressed(picture):
    """White shirt between the jacket's dark halves, and blue trousers under it."""
    shirt, jacket, trousers = picture[250, 240], picture[250, 200], picture[560, 210]
    return (
        shirt.min() > jacket.max() + 80
        and jacket.max() < 110
        and trousers[0] > trousers[2] + 25
        and np.abs(picture[30:120, 20:90] - decoded(outfits.jpeg(outfits.frame()))[30:120, 20:90]).max() == 0
    )


@pytest.fixture
async def client(stack):
    async with httpx.AsyncClient(base_url=stack.url, timeout=60) as client:
        yield client


async def test_a_capture_wears_three_garments_in_one_job(client, stack):
    before = stack.inferences("vae_encoder")
    answer = (await client.post("/virtual-tryon", json=capture("jacket", "trousers", "shirt"))).json()
    assert (answer["mode"], answer["mode_reason"]) == ("ai_enhanced", None), answer
    assert is_dressed(decoded(answer["result_image"]))
    assert stack.inferences("vae_encoder") - before == 1
    jacket, trousers, shirt = answer["garments"]
    assert [it["layer"] for it in answer["garments"]] == [2, 0, 1]
    assert all(it["painted"] for it in answer["garments"])
    assert [it["hidden_by"] for it in (jacket, trousers, shirt)] == [[], [0, 2], [0]]
    assert jacket["visible_share"] > 0.9
    assert 0.2 < shirt["visible_share"] < 0.5
    assert 0.7 < trousers["visible_share"] < 0.95


async def test_the_layers_decide_and_not_the_order(client):
    one, other = [
        (await client.post("/virtual-tryon", json=capture(*names))).json()["result_image"]
        for names in (("jacket", "shirt"), ("shirt", "jacket"))
    ]
    assert one == other


@pytest.mark.parametrize("style", ["garments.{}.{}", "garments[{}][{}]"])
async def test_a_form_has_them_as_fields_of_its_own(client, style):
    names = ("jacket", "shirt")
    files = {style.format(place, "jacket_render"): outfits.png(RENDERS[it]) for place, it in enumerate(names)}
    files["user_image"] = outfits.jpeg(outfits.frame())
    fields = {style.format(place, "layer"): str(LAYERS[it]) for place, it in enumerate(names)}
    fields |= {"pose": json.dumps(outfits.pose()), "steps": "4", "seed": "1"}
    answer = (await client.post("/virtual-tryon", data=fields, files=files)).json()
    assert [it["layer"] for it in answer["garments"]] == [2, 1]
    same = (await client.post("/virtual-tryon", json=capture(*names))).json()
    assert answer["result_image"] == same["result_image"]


@pytest.mark.parametrize("subprotocol", ["lucy.json.v1", "lucy.msgpack.v1"])
@pytest.mark.parametrize("answer", ["picture", "light"])
async def test_keyframes(stack, subprotocol, answer):
    binary = "msgpack" in subprotocol
    message = {
        "type": "keyframe",
        "camera_frame": outfits.jpeg(outfits.frame()) if binary else capture()["user_image"],
        "pose": outfits.pose(),
        "answer": answer,
        "garments": [
            garment(it) | ({"jacket_render": outfits.png(RENDERS[it])} if binary else {})
            for it in ("jacket", "trousers")
        ],
    }
    url = stack.url.replace("http", "ws") + "/ws"
    async with connect(url, subprotocols=[subprotocol], max_size=None) as socket:
        await socket.send(msgpack.packb(message) if binary else json.dumps(message))
        frame = await socket.recv()
    found = msgpack.unpackb(frame) if binary else json.loads(frame)
    assert (found["type"], found.get("mode")) == ("keyframe_result", "ai_enhanced"), found
    assert [it["hidden_by"] for it in found["garments"]] == [[], [0]]
    assert found["answer"] == answer
    if answer == "light":
        assert found["light"]
        assert found["layer_matrix"] is None
    else:
        picture = decoded(found["image"])
        assert picture[250, 200].max() < 110
        assert picture[560, 210, 0] > picture[560, 210, 2] + 25


async def test_a_white_shirt_keeps_its_brightness_beside_a_black_jacket(client):
    """Where all garments had one local mean, the shirt's edge got greyer than its middle."""
    answer = (await client.post("/virtual-tryon", json=capture("jacket", "shirt"))).json()
    row = decoded(answer["result_image"])[220:300].mean(axis=(0, 2))
    middle, edge = row[236:244].mean(), row[[226, 227, 253, 254]].mean()
    assert middle - edge < 6, (middle, edge)


async def test_a_batch_names_the_pictures(client):
    one = capture("jacket", "shirt")
    images = {"me": one["user_image"]} | {
        name: garment(name)["jacket_render"] for name in ("jacket", "shirt")
    }
    one |= {"user_image": "me"}
    one["garments"] = [
        {**it, "jacket_render": name} for it, name in zip(one["garments"], ("jacket", "shirt"), strict=True)
    ]
    made = (await client.post("/api/batches", json={"captures": [one], "images": images})).json()
    for _ in range(100):
        await asyncio.sleep(0.2)
        status = (await client.get(f"/api/batches/{made['batch_id']}")).json()
        if status["state"] == "completed":
            break
    lines = (await client.get(f"/api/batches/{made['batch_id']}/results")).text.splitlines()
    assert len(json.loads(lines[0])["result"]["garments"]) == 2


WRONG = {
    "garments: List should have at most 4 items": {"garments": [garment("jacket")] * 5},
    "garments.1: a jacket_render or a garment_image is needed": {"garments": [garment("jacket"), {}]},
    "garments.1.layer: ": {"garments": [garment("jacket"), garment("shirt", layer=1000)]},
    "garments.1.category: ": {"garments": [garment("jacket"), garment("shirt", category="hats")]},
    "garments.1.jacket_render is not a readable": {
        "garments": [garment("jacket"), garment("shirt", jacket_render="bm8gcGljdHVyZQ==")]
    },
    "garments.1.jacket_render is opaque": {
        "garments": [
            garment("jacket"),
            garment("shirt", jacket_render=data_uri(outfits.png(outfits.frame()))),
        ]
    },
    "garments.1.jacket_render 480×300": {
        "garments": [
            garment("jacket"),
            garment("shirt", jacket_render=data_uri(outfits.png(outfits.shirt()[:300]))),
        ]
    },
    "mask: is for one garment only": {"mask": data_uri(outfits.png(outfits.frame()))},
    "jacket_render: is for one garment only": {"jacket_render": garment("jacket")["jacket_render"]},
}


@pytest.mark.parametrize("says", WRONG)
async def test_an_error_names_the_garment(client, says):
    answer = await client.post("/virtual-tryon", json=capture("jacket", "shirt", **WRONG[says]))
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]


async def test_a_photo_alone_is_reported_and_the_others_are_worn(client):
    """lucy-tiny paints renders."""
    photo = {"garment_image": garment("shirt")["jacket_render"], "category": "tops"}
    answer = (await client.post("/virtual-tryon", json=capture(garments=[garment("jacket"), photo]))).json()
    assert answer["mode"] == "ai_enhanced"
    assert [it["painted"] for it in answer["garments"]] == [True, False]
    assert answer["garments"][1]["reason"] == "needs_render"
    assert "garments.1: the served checkpoint needs a jacket_render" in answer["detail"]


async def test_the_height_gives_measurements(client):
    answer = (await client.post("/virtual-tryon", json=capture("jacket", physical_height_mm=1750))).json()
    found = answer["measurements"]
    assert found["basis"] == "trunk"  # the drawn person's ankles are outside the frame
    assert 200 < found["shoulder_width"] < 500
    assert found["leg"] is None
    pose = {**outfits.pose(), "landmarks": None}
    answer = (
        await client.post("/virtual-tryon", json=capture("jacket", physical_height_mm=1750, pose=pose))
    ).json()
    assert answer["measurements"] is None
    assert "physical_height_mm: the pose shows too little" in answer["detail"]
