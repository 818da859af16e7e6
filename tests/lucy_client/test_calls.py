"""Requests as the API wants them."""

from lucy_client import calls

PHOTO, FLASH = b"\xff\xd8 a photo", b"\xff\xd8 with the flash"


def test_a_scan_sends_both_photos_as_files() -> None:
    call = calls.scan(PHOTO, {"image_flash": FLASH, "size": 512})
    assert call.files == {"image": PHOTO, "image_flash": FLASH}
    assert call.form == {"size": "512"}


def test_without_a_flash_there_is_one_photo() -> None:
    assert list(calls.scan(PHOTO, {}).files) == ["image"]
