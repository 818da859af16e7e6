"""Several garments, as the clients send them."""

from pathlib import Path

import msgpack
import pytest

from lucy_client import calls, folder
from lucy_client.keyframes import _Messages
from lucy_client.pictures import shared

COAT, SHIRT = b"\x89PNG coat", b"\x89PNG shirt"
GARMENTS = [
    {"jacket_render": COAT, "layer": 1, "fabric_id": "wool-navy"},
    {"jacket_render": SHIRT, "layer": 0},
]


def test_a_capture_has_a_field_for_each_of_theirs() -> None:
    call = calls.capture(b"me", None, {"garments": GARMENTS, "steps": 3})
    assert call.files == {
        "user_image": b"me",
        "garments.0.jacket_render": COAT,
        "garments.1.jacket_render": SHIRT,
    }
    assert call.form == {
        "steps": "3",
        "garments.0.layer": "1",
        "garments.0.fabric_id": "wool-navy",
        "garments.1.layer": "0",
    }


def test_a_keyframe_has_their_pictures_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "coat.png").write_bytes(COAT)
    garments = [{"jacket_render": tmp_path / "coat.png"}, {"jacket_render": SHIRT}]
    message = msgpack.unpackb(_Messages().keyframe(b"me", None, {"garments": garments}))
    assert message["garments"] == [{"jacket_render": COAT}, {"jacket_render": SHIRT}]


def test_a_batch_sends_each_picture_once() -> None:
    captures = [{"user_image": b"me", "garments": GARMENTS}, {"user_image": b"me", "jacket_render": COAT}]
    named, pictures = shared(captures)
    assert len(pictures) == 3
    assert named[0]["garments"][0] == {**GARMENTS[0], "jacket_render": named[1]["jacket_render"]}


def test_a_folder_s_list_names_their_files(tmp_path: Path) -> None:
    for name in ("me.jpg", "coat.png"):
        (tmp_path / name).write_bytes(b"")
    line = '{"user_image": "me.jpg", "garments": [{"jacket_render": "coat.png"}]}\n'
    (tmp_path / folder.LIST).write_text(line)
    (found,) = folder.captures_of(tmp_path)
    assert found["garments"] == [{"jacket_render": tmp_path / "coat.png"}]
    (tmp_path / folder.LIST).write_text(line.replace("coat", "hat"))
    with pytest.raises(folder.FolderError, match=r"line 1: there is no file .*hat\.png"):
        folder.captures_of(tmp_path)
