"""Requests as the API wants them."""

import json
from typing import Any

import pytest

from lucy_client import LucyError, calls
from lucy_client.calls import Call

PHOTO, FLASH = b"\xff\xd8 a photo", b"\xff\xd8 with the flash"


def test_a_scan_sends_both_photos_as_files() -> None:
    call = calls.scan(PHOTO, {"image_flash": FLASH, "size": 512})
    assert call.files == {"image": PHOTO, "image_flash": FLASH}
    assert call.form == {"size": "512"}


def test_without_a_flash_there_is_one_photo() -> None:
    assert list(calls.scan(PHOTO, {}).files) == ["image"]


def test_an_answer_with_a_light_has_no_picture() -> None:
    """It failed with an error of pydantic's."""
    names = ("result_id", "timestamp", "expires_at", "request_id")
    body = {**dict.fromkeys(names, "x"), "mode": "ai_enhanced", "images": [], "answer": "light"}
    answer = calls.capture(PHOTO, None, {"answer": "light"}).read(
        json.dumps({**body, "light": "data:image/webp;base64,", "crop": [0, 0, 1, 1]}).encode()
    )
    assert (answer.answer, answer.light, answer.crop) == ("light", "data:image/webp;base64,", [0, 0, 1, 1])
    with pytest.raises(LucyError, match="the answer is a light"):
        answer.save("out.png")


@pytest.mark.parametrize("call", [calls.health(), calls.fabrics(None, None), calls.capture_status("id")])
@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"{}", b"[]"])
def test_an_answer_of_something_else_is_the_clients_own_error(call: Call[Any], body: bytes) -> None:
    with pytest.raises(LucyError, match="not Lucy Serve") as caught:
        call.answer(body)
    assert caught.value.code == "UNREACHABLE"
