import io
import struct
import zipfile

from fabric.packs.archive import usdz, zipped

FILES = {"a.usda": b"x" * 100, "textures/long name.png": bytes(5000), "b.jpg": b"123"}


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_files_come_back_in_their_order() -> None:
    for make in (zipped, usdz):
        assert list(contents(make(FILES)).items()) == list(FILES.items())


def test_the_same_files_are_the_same_bytes() -> None:
    """Every proxy's pack has one ETag."""
    assert zipped(FILES) == zipped(FILES)
    assert usdz(FILES) == usdz(FILES)


def test_texts_are_compressed_and_pictures_are_not() -> None:
    with zipfile.ZipFile(io.BytesIO(zipped(FILES))) as archive:
        kinds = {info.filename: info.compress_type for info in archive.infolist()}
    assert kinds == {
        "a.usda": zipfile.ZIP_DEFLATED,
        "textures/long name.png": zipfile.ZIP_STORED,
        "b.jpg": zipfile.ZIP_STORED,
    }


def test_each_content_of_a_usdz_is_stored_at_a_multiple_of_64_bytes() -> None:
    for length in range(1, 140):
        data = usdz({"a": bytes(length), "b" * (length % 70 + 1): b"content"})
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                assert info.compress_type == zipfile.ZIP_STORED
                name, extra = struct.unpack_from("<HH", data, info.header_offset + 26)
                assert (info.header_offset + 30 + name + extra) % 64 == 0
