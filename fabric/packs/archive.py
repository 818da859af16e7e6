"""ZIP files whose bytes depend on their content alone, so that every proxy gives the same file."""

import io
import zipfile
from collections.abc import Mapping

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a ZIP can name
_ALIGNMENT = 64  # of each file's content in a USDZ
_EXTRA_HEADER = b"\x86\x19"  # the id under which USD pads; any unknown one would do
_LOCAL_HEADER = 30  # bytes, and then the name and the extra field


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP. Pictures are stored as they are: they are compressed already."""
    return _written(files, aligned=False)


def usdz(files: Mapping[str, bytes]) -> bytes:
    """A USDZ: nothing compressed, each content at a multiple of 64 bytes, the first file is the stage."""
    return _written(files, aligned=True)


def _written(files: Mapping[str, bytes], aligned: bool) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.external_attr = 0o644 << 16
            if aligned:
                info.extra = _padding(buffer.tell() + _LOCAL_HEADER + len(name.encode()))
            elif not name.endswith((".jpg", ".png", ".glb")):
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def _padding(begin: int) -> bytes:
    """An extra field after which `begin` is a multiple of the alignment: id, length, zeros."""
    length = -(begin + 4) % _ALIGNMENT
    return _EXTRA_HEADER + length.to_bytes(2, "little") + bytes(length)
