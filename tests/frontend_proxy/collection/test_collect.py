"""`/api/collect` with the real worker process: rows that training.finetune reads."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from training.finetune.rows import find_rows

TRIALS = Path(__file__).resolve().parents[2] / "data" / "trials"
PORTRAIT = (TRIALS / "portrait.jpg").read_bytes()
KEYS = "one-key-of-a-shop", "another-key-of-another"
POSE = json.loads((TRIALS / "portrait_pose.json").read_text())


def data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def png(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1])


def sharpness_of_face(picture: np.ndarray) -> float:
    landmarks = np.array([[p["x"], p["y"]] for p in POSE["landmarks"]])
    x, y = (landmarks[[2, 5, 9, 10]].mean(axis=0) * picture.shape[1::-1]).astype(int)
    face = np.s_[y - 20 : y + 20, x - 20 : x + 20]
    return float(cv2.Laplacian(picture, cv2.CV_32F)[face].std())


@pytest.fixture
def frame() -> np.ndarray:
    return cv2.imdecode(np.frombuffer(PORTRAIT, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def fields(frame: np.ndarray) -> dict[str, Any]:
    render = np.zeros((*frame.shape[:2], 4), np.uint8)
    render[:, :, :3] = frame  # as a canvas whose alpha hides the camera's picture
    render[frame.shape[0] // 2 :] = (20, 20, 200, 255)
    worn = frame.copy()
    worn[frame.shape[0] // 2 :] = (10, 10, 90)
    return {
        "consent": True,
        "user_image": data_uri(PORTRAIT),
        "jacket_render": data_uri(png(render)),
        "photo": data_uri(png(worn)),
        "pose": POSE,
        "photo_pose": POSE,
        "caption": "a red\n jacket",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "collected"


@pytest.fixture
async def client(settings: Settings, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    changed = settings.model_copy(update={"collect_dir": folder, "max_collected_rows": 2})
    app = create_app(changed, FakeServer())
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=60) as client,
    ):
        yield client


async def test_a_row_is_stored_as_training_reads_it(client, fields, folder, frame) -> None:
    answer = await client.post("/api/collect", json=fields)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    [row] = find_rows(folder)
    assert row.name == told["row_id"]
    assert row.caption == "a red jacket"
    assert not row.by_model
    assert row.pose.any()
    about = json.loads((row.folder / "row.json").read_text())
    assert about["consent"] is True
    assert about["heads_blurred"] is True
    render = cv2.imread(str(row.folder / "render.png"), cv2.IMREAD_UNCHANGED)
    assert not render[: frame.shape[0] // 2].any(), "the camera's picture under the transparent part"


async def test_heads_are_blurred_in_both_pictures_and_nothing_else_is(client, fields, folder, frame) -> None:
    await client.post("/api/collect", json=fields)
    [row] = find_rows(folder)
    for name in ("person.jpg", "photo.jpg"):
        stored = cv2.imread(str(row.folder / name))
        assert sharpness_of_face(stored) < 0.25 * sharpness_of_face(frame), name
    person = cv2.imread(str(row.folder / "person.jpg"))
    assert np.abs(person[-40:].astype(int) - frame[-40:]).mean() < 3
    # By choice they are kept.
    answer = await client.post("/api/collect", json={**fields, "blur_heads": False, "pose": None})
    assert answer.json()["heads_blurred"] is False
    [kept] = [it for it in find_rows(folder) if it.name == answer.json()["row_id"]]
    assert np.abs(cv2.imread(str(kept.folder / "person.jpg")).astype(int) - frame).mean() < 3


def on_its_side(picture: Image.Image, image_format: str) -> bytes:
    """The picture as a phone that was held upright stores it: turned by 90°, and a note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    picture.transpose(Image.Transpose.ROTATE_90).save(file, image_format, quality=95, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("image_format", ["JPEG", "AVIF"])
async def test_pixels_of_a_pose_are_those_of_a_turned_picture_as_it_is_seen(
    client, fields, folder, frame, image_format: str
) -> None:
    """A face stayed sharp in a row that said heads_blurred: a header's size knows of no turn."""
    height, width = frame.shape[:2]
    portrait = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    turned = data_uri(on_its_side(portrait, image_format))
    pixels = [p | {"x": p["x"] * width, "y": p["y"] * height} for p in POSE["landmarks"]]
    poses = {name: {"landmarks": pixels} for name in ("pose", "photo_pose")}
    answer = await client.post(
        "/api/collect", json={**fields, "user_image": turned, "photo": turned, **poses}
    )
    assert answer.status_code == 201, answer.text
    [row] = find_rows(folder)
    for name in ("person.jpg", "photo.jpg"):
        stored = cv2.imread(str(row.folder / name))
        assert stored.shape == frame.shape
        assert sharpness_of_face(stored) < 0.25 * sharpness_of_face(frame), name
    stored_pose = json.loads((row.folder / "pose.json").read_text())["landmarks"]
    assert stored_pose[0]["x"] == pytest.approx(POSE["landmarks"][0]["x"], abs=1e-3)


async def test_what_is_no_row_is_refused_in_a_sentence(client, fields, folder) -> None:
    refused = [
        ({"pose": None}, "no head is found in user_image; send pose"),
        ({"photo_pose": None}, "no head is found in photo; send photo_pose"),
        ({"consent": False}, "consent"),
        ({"consent": None}, "consent"),
        ({"photo": None}, "photo, result_id"),
        ({"result_id": "x" * 22}, "photo, result_id"),
        ({"jacket_render": None}, "jacket_render, garment_image"),
        ({"jacket_render": data_uri(PORTRAIT)}, "opaque"),
        ({"photo": data_uri(png(np.zeros((50, 90, 3), np.uint8)))}, "one shot"),
        ({"user_image": data_uri(b"\x89PNG no picture")}, "user_image"),
    ]
    for change, word in refused:
        answer = await client.post("/api/collect", json={**fields, **change})
        assert answer.status_code == 400, change
        assert word in answer.json()["error"]
    assert not folder.exists() or not any(folder.iterdir())


async def test_a_capture_that_was_accepted_is_the_truth(client, fields, folder) -> None:
    capture = await client.post(
        "/virtual-tryon", json={name: fields[name] for name in ("user_image", "jacket_render")}
    )
    accepted = {**fields, "photo": None, "photo_pose": None, "result_id": capture.json()["result_id"]}
    answer = await client.post("/api/collect", json=accepted)
    assert answer.status_code == 201, answer.text
    assert answer.json()["photo"] == "capture"
    [row] = find_rows(folder)
    assert row.by_model
    unknown = await client.post("/api/collect", json={**accepted, "result_id": "A" * 22})
    assert unknown.status_code == 404


async def test_rows_of_one_person_stay_together_under_no_readable_name(client, fields, folder) -> None:
    for _ in range(2):
        await client.post("/api/collect", json={**fields, "person": "Anna Smith"})
    rows = find_rows(folder)
    assert len(rows) == 2
    assert len({row.person for row in rows}) == 1
    assert "Anna" not in "".join(str(path) + path.read_text("latin-1") for path in folder.rglob("*.json"))
    full = await client.post("/api/collect", json=fields)
    assert full.status_code == 507


async def test_a_person_may_change_their_mind(client, fields, folder) -> None:
    row_id = (await client.post("/api/collect", json={**fields, "person": "anna"})).json()["row_id"]
    assert (await client.delete(f"/api/collect/{row_id}")).status_code == 200
    assert not any(folder.iterdir())
    assert (await client.delete(f"/api/collect/{row_id}")).status_code == 404
    assert (await client.delete("/api/collect/..%2F..")).status_code == 404


async def test_nothing_is_collected_unless_a_setting_says_so(settings, fields) -> None:
    transport = httpx.ASGITransport(create_app(settings, FakeServer()))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        answer = await client.post("/api/collect", json=fields)
    assert answer.status_code == 403
    assert "COLLECT_DIR" in answer.json()["error"]


async def test_keys_own_their_rows(settings, folder, fields) -> None:
    changed = Settings(
        _env_file=None, **{**settings.model_dump(), "collect_dir": folder, "api_keys": ",".join(KEYS)}
    )
    app = create_app(changed, FakeServer())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://lucy.test", timeout=60
        ) as client,
    ):
        mine, theirs = ({"X-API-Key": key} for key in KEYS)
        row_id = (await client.post("/api/collect", json=fields, headers=mine)).json()["row_id"]
        assert (await client.delete(f"/api/collect/{row_id}", headers=theirs)).status_code == 404
        assert (await client.delete(f"/api/collect/{row_id}", headers=mine)).status_code == 200


def test_rows_do_not_lie_where_results_expire(settings, tmp_path) -> None:
    with pytest.raises(ValueError, match="overlap"):
        Settings(
            _env_file=None,
            **{**settings.model_dump(), "collect_dir": tmp_path / "results" / "rows"},
        )
