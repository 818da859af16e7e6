"""The memory that a scan takes: the growth of the peak of a process that scans one photo."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fabric.photos import GREY_TIFF, exif_bomb, inflating, png_with, saved, tiff, woven

LARGEST = (8064, 6048)  # 48 megapixels, as phones have
LIMIT_MB = 450  # for 48 megapixels; measured are 90 to 440
SMALL_LIMIT_MB = 120  # for what is small, whatever its file claims; measured are 5 to 40

# Peak of resident memory, since other figures of the kernel's count what is only reserved, or the parent's.
SCAN = """
import sys
from fabric import FabricError, ScanOptions, scan
from tests.fabric.photos import saved, woven
from PIL import Image

def memory(field):
    line = next(line for line in open("/proc/self/status") if line.startswith(field))
    return int(line.split()[1]) // 1024

photo = open(sys.argv[1], "rb").read()
scan(saved(Image.fromarray(woven(300, 300))), ScanOptions(size=256))
before = memory("VmRSS")
try:
    scan(photo, ScanOptions(size=int(sys.argv[2])))
    answer = "scanned"
except FabricError as error:
    answer = error.code
print(answer, max(0, memory("VmHWM") - before))
"""


def cost(photo: bytes, folder: Path, size: int = 1024) -> tuple[str, int]:
    """What came of a scan, and the megabytes that the process grew by."""
    (folder / "photo").write_bytes(photo)
    command = [sys.executable, "-c", SCAN, str(folder / "photo"), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer, grown = done.stdout.split()
    return answer, int(grown)


def picture(mode: str) -> Image.Image:
    pixels = woven(*LARGEST)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode == "RGBA":
        return Image.fromarray(np.dstack([pixels, pixels[..., 0]]))
    image = Image.fromarray(pixels)
    return image.quantize(64, method=Image.Quantize.FASTOCTREE) if mode == "P" else image.convert(mode)


LARGE: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(picture("RGB"), "JPEG"),
    "progressive JPEG": lambda: saved(picture("RGB"), "JPEG", progressive=True, subsampling=0),
    "progressive CMYK JPEG": lambda: saved(picture("CMYK"), "JPEG", progressive=True, subsampling=0),
    "PNG": lambda: saved(picture("RGB"), compress_level=1),
    "palette PNG": lambda: saved(picture("P"), compress_level=1),
    "16-bit PNG": lambda: saved(picture("I;16"), compress_level=1),
    "transparent PNG": lambda: saved(picture("RGBA"), compress_level=1),
    "WebP": lambda: saved(picture("RGB"), "WEBP", method=0),
    "transparent WebP": lambda: saved(picture("RGBA"), "WEBP", method=0),
    "TIFF": lambda: saved(picture("RGB"), "TIFF", compression="tiff_lzw"),
    "AVIF": lambda: saved(picture("RGB"), "AVIF", speed=10),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", LARGE)
def test_a_phones_48_megapixels(name: str, tmp_path: Path) -> None:
    answer, grown = cost(LARGE[name](), tmp_path)
    assert answer == "scanned"
    assert grown <= LIMIT_MB


@pytest.mark.nightly
def test_an_avif_that_needs_more_is_refused(tmp_path: Path) -> None:
    """Ten bits or full colour resolution take twice the memory of a photo's usual AVIF."""
    photo = saved(picture("RGBA"), "AVIF", speed=10, subsampling="4:4:4")
    answer, grown = cost(photo, tmp_path)
    assert (answer, grown <= SMALL_LIMIT_MB) == ("TOO_LARGE", True)


@pytest.mark.nightly
@pytest.mark.parametrize("size", [(34_800, 1400), (1400, 34_800)])
def test_a_panorama_with_the_largest_maps(size: tuple[int, int], tmp_path: Path) -> None:
    """Its shorter side is too short for a reduction: the whole of it is decoded."""
    photo = saved(Image.fromarray(woven(*size)), "JPEG", progressive=True, subsampling=0)
    answer, grown = cost(photo, tmp_path, 2048)
    assert answer == "scanned"
    assert grown <= LIMIT_MB


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a TIFF with one tile of 18000 × 18000": lambda: tiff(
        {
            **GREY_TIFF,
            259: (3, 1, 5),
            322: (4, 1, 18_000),
            323: (4, 1, 18_000),
            324: (4, 1, 8),
            325: (4, 1, 4096),
        }
    ),
    "a TIFF with a strip of 16 million rows": lambda: tiff({**GREY_TIFF, 259: (3, 1, 5), 278: (4, 1, 2**24)}),
    "a PNG with text of 256 MB": lambda: png_with((b"zTXt", b"a\0\0" + inflating(2**28))),
    "a PNG with 300 texts of 1 MB": lambda: png_with(
        *[(b"iTXt", b"a%d\0\1\0\0\0" % number + inflating(2**20 - 1)) for number in range(300)]
    ),
    "a PNG with a profile of 256 MB": lambda: png_with((b"iCCP", b"a\0\0" + inflating(2**28))),
    "a PNG whose EXIF entries all point at the same 2 MB": lambda: png_with((b"eXIf", exif_bomb(400, 2**21))),
    "a WebP whose EXIF entries all point at the same 2 MB": lambda: saved(
        Image.fromarray(woven(80, 70)), "WEBP", exif=_quietly(exif_bomb(400, 2**21))
    ),
}


def _quietly(exif: bytes) -> Image.Exif:
    """Bytes that Pillow writes as they are."""

    class Raw(Image.Exif):
        def tobytes(self, offset: int = 8) -> bytes:
            return b"Exif\0\0" + exif

    return Raw()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_picture_stays_small(name: str, tmp_path: Path) -> None:
    photo = HOSTILE[name]()
    assert len(photo) < 4_000_000
    answer, grown = cost(photo, tmp_path)
    assert answer in ("scanned", "INVALID_INPUT", "IMAGE_DECODE")
    assert grown <= SMALL_LIMIT_MB, answer
