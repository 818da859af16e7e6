"""`lucy batch` against the proxy with a fake model."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from lucy_client import batch_command
from lucy_client.pictures import data_uri, read
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve

TRIALS = Path(__file__).parents[1] / "data" / "trials"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people, and two garments of one name."""
    for name, picture in (
        ("people/anna.jpg", FRAME),
        ("people/ben.jpg", FRAME),
        ("renders/coat.png", RENDER),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(read(picture))
    (tmp_path / "renders/coat.webp").write_bytes(read(RENDER))
    return tmp_path


async def test_a_folder_that_is_too_large_for_one_batch(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server answered 413. In the results, `index` began anew with each batch."""
    body = len(FRAME) + 2 * len(RENDER)
    monkeypatch.setattr(batch_command, "CHUNK_BYTES", body)
    async with serve(workers=True, max_batch_bytes=body + 700) as address:
        arguments = [str(folder), "--url", f"http://{address}"]
        assert await asyncio.to_thread(batch_command.main, arguments) == 0, capsys.readouterr().err
    assert "4 of 4 pictures" in capsys.readouterr().out
    lines = [json.loads(line) for line in (folder / "results/results.jsonl").read_text().splitlines()]
    assert [(line["index"], line["custom_id"]) for line in lines] == [
        *((0, "anna-coat"), (1, "anna-coat_2"), (2, "ben-coat"), (3, "ben-coat_2"))
    ]
    assert len(list((folder / "results").glob("*.png"))) == 4


@pytest.mark.parametrize("kind", ["heic", "avif"])
async def test_a_phone_s_pictures(
    serve: Serve, folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """They were sent as `image/*`, which is no media type, and the server refused the batch."""
    (folder / "people/anna.jpg").unlink()
    shutil.copy(TRIALS / f"person.{kind}", folder / "people")
    async with serve(workers=True) as address:
        arguments = [str(folder), "--url", f"http://{address}"]
        assert await asyncio.to_thread(batch_command.main, arguments) == 0
    assert "4 of 4 pictures" in capsys.readouterr().out


async def test_a_batch_of_which_nothing_can_be_made_does_not_stop_the_others(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server answers 400 to it, and what came after it was never sent."""
    (folder / "people/anna.jpg").write_bytes(b"no picture")
    monkeypatch.setattr(batch_command, "CHUNK", 2)
    async with serve(workers=True) as address:
        arguments = [str(folder), "--url", f"http://{address}"]
        assert await asyncio.to_thread(batch_command.main, arguments) == 1
    told = capsys.readouterr()
    assert "2 of 4 pictures" in told.out
    assert "captures 0 to 1: captures.0: user_image is not a readable" in told.out
    lines = [json.loads(line) for line in (folder / "results/results.jsonl").read_text().splitlines()]
    assert [(line["index"], line["custom_id"], line["state"]) for line in lines] == [
        (0, "anna-coat", "failed"),
        (1, "anna-coat_2", "failed"),
        (2, "ben-coat", "succeeded"),
        (3, "ben-coat_2", "succeeded"),
    ]
    assert lines[0]["failure"]["code"] == "INVALID_INPUT"
    assert len(list((folder / "results").glob("*.png"))) == 2


@pytest.mark.parametrize(
    ("most_captures", "most_bytes", "starts"),
    [
        (500, 10**6, [0]),
        (3, 10**6, [0, 3]),
        (500, 8 * 2**10, [0, 2, 3]),
        (500, 1, [0, 1, 2, 3]),
    ],
)
def test_a_batch_has_a_number_and_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_captures: int, most_bytes: int, starts: list[int]
) -> None:
    """3 KiB are 4 KiB in base64."""
    monkeypatch.setattr(batch_command, "CHUNK", most_captures)
    monkeypatch.setattr(batch_command, "CHUNK_BYTES", most_bytes)
    (tmp_path / "anna.jpg").write_bytes(bytes(3 * 2**10))
    coat, shirt = bytes(3 * 2**10), data_uri(bytes(3000))
    captures = [
        {"user_image": tmp_path / "anna.jpg", "jacket_render": coat},
        {"user_image": tmp_path / "anna.jpg", "garments": [{"jacket_render": coat}]},
        {
            "user_image": tmp_path / "anna.jpg",
            "garments": [{"jacket_render": coat}, {"jacket_render": shirt}],
        },
        {"user_image": tmp_path / "anna.jpg", "jacket_render": shirt},
    ]
    chunks = list(batch_command._chunks(captures))
    assert [start for start, _ in chunks] == starts
    assert [capture for _, chunk in chunks for capture in chunk] == captures
