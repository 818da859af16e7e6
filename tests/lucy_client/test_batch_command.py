"""`lucy batch` against the proxy with a fake model."""

import asyncio
import json
from pathlib import Path

import pytest

from lucy_client import batch_command
from lucy_client.pictures import data_uri, read
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve


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
