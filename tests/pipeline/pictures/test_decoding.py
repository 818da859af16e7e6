"""Pictures as phones and browsers make them are decoded as people see them."""

import io
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.pictures import decoding
from pipeline.pictures.colour import cicp_profile, matrix_profile
from pipeline.pictures.decoding import NotAPicture, decode_grey, decode_opaque, decode_with_alpha
from pipeline.pictures.metadata import read_metadata

TRIALS = Path(__file__).parents[2] / "data" / "trials"
P3 = cicp_profile(12, 13)
SWAPPED = read_metadata((TRIALS / "profile_swaps_red_and_blue.jpg").read_bytes()).profile
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
COLOUR, LEFT, HIDDEN = (200, 60, 40), (0, 0, 255), (0, 255, 0)


@pytest.fixture(autouse=True)
def heif():
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    lossless = {"WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 100}, "HEIF": {"quality": 95}}
    picture.save(buffer, kind, **lossless.get(kind, {}), **options)
    return buffer.getvalue()


def flat(mode="RGB", colour=COLOUR, size=(64, 48)):
    return Image.new(mode, size, colour)


def rgb(picture):
    """The middle pixel of BGR."""
    return picture[picture.shape[0] // 2, picture.shape[1] // 2, :3][::-1].astype(int)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("decode", [decode_opaque, decode_with_alpha])
def test_a_profile_is_applied(kind, decode):
    found = rgb(decode(encoded(flat(), kind, icc_profile=SWAPPED)))
    assert np.abs(found - COLOUR[::-1]).max() < 8


@pytest.mark.parametrize("kind", FORMATS)
def test_display_p3_becomes_srgb(kind):
    found = rgb(decode_opaque(encoded(flat(), kind, icc_profile=P3)))
    assert np.abs(found - (217, 42, 23)).max() < 8, "calculated from the primaries by hand"


def test_a_profile_keeps_the_alpha():
    picture = flat("RGBA", (*COLOUR, 77))
    found = decode_with_alpha(encoded(picture, "PNG", icc_profile=SWAPPED))
    assert np.abs(rgb(found) - COLOUR[::-1]).max() < 3
    assert (found[:, :, 3] == 77).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("profile", [b"broken", SRGB, SWAPPED[:300], bytes(2**21)])
def test_a_broken_profile_and_srgb_leave_the_pixels_as_they_are(kind, profile):
    if kind == "JPEG" and len(profile) > 10**6:
        pytest.skip("the encoder takes no profile of this size")
    plain = decode_opaque(encoded(flat(), kind))
    assert (decode_opaque(encoded(flat(), kind, icc_profile=profile)) == plain).all()


def grey_profile(gamma=1.0):
    """The matrix profile's curve alone, as scanners write it."""
    profile = bytearray(matrix_profile((0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06), gamma))
    profile[16:20] = b"GRAY"
    return bytes(profile).replace(b"rTRC", b"kTRC", 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_grey_profile_is_applied(kind):
    data = encoded(flat("L", 100), kind, icc_profile=grey_profile())
    assert abs(decode_grey(data)[0, 0] - 168) < 4, "linear light is brighter in sRGB"
    assert np.abs(rgb(decode_opaque(data)) - 168).max() < 4


def test_a_profile_of_other_colours_than_the_picture_is_ignored():
    data = encoded(flat(), "JPEG", icc_profile=grey_profile())
    assert np.abs(rgb(decode_opaque(data)) - COLOUR).max() < 4


def test_cmyk_without_a_profile_is_what_opencv_makes_of_it():
    data = encoded(flat("RGB").convert("CMYK"), "JPEG")
    assert (decode_opaque(data) == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).all()


def png_with(kind, content, picture=None):
    """A PNG with one more chunk behind its header."""
    data = encoded(picture or flat(), "PNG")
    chunk = len(content).to_bytes(4, "big") + kind + content
    return data[:33] + chunk + zlib.crc32(kind + content).to_bytes(4, "big") + data[33:]


@pytest.mark.parametrize(
    ("kind", "content", "wanted"),
    [
        (b"cICP", bytes([12, 13, 0, 1]), (217, 42, 23)),
        (b"cICP", bytes([1, 13, 0, 1]), COLOUR),
        (b"cICP", bytes([9, 16, 0, 1]), COLOUR),
        (b"cICP", b"\x0c", COLOUR),
        (b"gAMA", (100_000).to_bytes(4, "big"), (229, 133, 110)),
        (b"gAMA", (45_455).to_bytes(4, "big"), COLOUR),
        (b"gAMA", bytes(4), COLOUR),
        (b"gAMA", b"\0", COLOUR),
        (b"sRGB", b"\0", COLOUR),
        (b"iCCP", b"name\0\0not deflated", COLOUR),
        (b"eXIf", b"MM", COLOUR),
    ],
)
def test_what_chunks_of_a_png_say_about_its_colours(kind, content, wanted):
    assert np.abs(rgb(decode_opaque(png_with(kind, content))) - wanted).max() < 4


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("primaries", "transfer", "wanted"),
    [(12, 13, (217, 42, 23)), (1, 13, COLOUR), (2, 2, COLOUR)],
)
def test_code_points_in_the_boxes_of_a_picture(kind, primaries, transfer, wanted):
    data = encoded(flat(), kind)
    place = data.index(b"nclx") + 4
    data = data[:place] + bytes([0, primaries, 0, transfer]) + data[place + 4 :]
    assert np.abs(rgb(decode_opaque(data)) - wanted).max() < 8


def half_hidden(mode):
    """The left half transparent, with a colour under it that nobody is to see; the right half opaque."""
    picture = flat("RGBA", (*COLOUR, 255))
    picture.paste((*HIDDEN, 0), (0, 0, 32, 48))
    if mode == "P":
        picture = flat("P", 1)
        picture.putpalette([*HIDDEN, *COLOUR])
        picture.paste(0, (0, 0, 32, 48))
        picture.info["transparency"] = bytes([0, 255])
    elif mode == "RGB":
        picture = flat("RGB")
        picture.paste(HIDDEN, (0, 0, 32, 48))
        picture.info["transparency"] = HIDDEN
    elif mode == "L":
        picture = flat("L", 100)
        picture.paste(7, (0, 0, 32, 48))
        picture.info["transparency"] = 7
    return picture.convert("LA") if mode == "LA" else picture


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("RGBA", "LA", "P", "RGB", "L")),
        *(("WEBP", "RGBA"), ("AVIF", "RGBA"), ("HEIF", "RGBA")),
    ],
)
def test_what_is_transparent_is_white_and_its_hidden_colour_stays_hidden(kind, mode):
    picture = half_hidden(mode)
    options = {"transparency": picture.info["transparency"]} if "transparency" in picture.info else {}
    data = encoded(picture, kind, **options)
    found = decode_opaque(data)
    assert found.shape == (48, 64, 3)
    assert found[:, :28].min() > 250
    wanted = flat().convert("L").getpixel((0, 0)) if mode == "LA" else 100 if mode == "L" else COLOUR
    assert np.abs(found[24, 50][::-1].astype(int) - wanted).max() < 8
    kept = decode_with_alpha(data)
    assert kept[:, :28, 3].max() < 5
    assert kept[:, 36:, 3].min() > 250


def test_half_transparent_is_half_white():
    assert (
        np.abs(rgb(decode_opaque(encoded(flat("RGBA", (200, 60, 40, 128)), "PNG"))) - (227, 157, 147)).max()
        < 2
    )


def test_16_bits_of_transparency():
    picture = np.zeros((6, 8, 4), np.uint16)
    picture[:, 4:] = (*(value * 257 for value in COLOUR[::-1]), 65535)
    picture[:, :4, 1] = 65535
    data = cv2.imencode(".png", picture)[1].tobytes()
    found = decode_opaque(data)
    assert (found[:, :4] == 255).all()
    assert np.abs(found[2, 6][::-1].astype(int) - COLOUR).max() < 2
    assert decode_with_alpha(data).dtype == np.uint8


def test_the_hidden_colour_of_a_mask_is_no_garment():
    mask = Image.new("RGBA", (8, 6), (255, 255, 255, 0))
    mask.paste((255, 255, 255, 255), (4, 0, 8, 6))
    found = decode_grey(encoded(mask, "PNG"))
    assert (found[:, :4] == 0).all()
    assert (found[:, 4:] == 255).all()


def turned(kind, orientation, **options):
    """A picture whose left half is blue, as a camera turned by `orientation` stores it."""
    picture = flat(size=(64, 48))
    picture.paste(LEFT, (0, 0, 32, 48))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that undo each
    stored = picture.transpose(Image.Transpose(back[orientation])) if orientation in back else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(stored, kind, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("decode", [decode_opaque, decode_with_alpha, decode_grey])
def test_every_picture_is_upright(kind, orientation, decode):
    found = decode(turned(kind, orientation))
    wanted = decode(encoded(upright_original(), "PNG"))
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted)[:, [10, 54]].max() < 16


def upright_original():
    picture = flat(size=(64, 48))
    picture.paste(LEFT, (0, 0, 32, 48))
    return picture


ODD_EXIF = [
    "exif_text_for_resolution.jpg", "exif_positions_as_bytes.jpg", "exif_description_as_rational.jpg",
]  # fmt: skip


def with_exif(kind, exif):
    if kind != "AVIF":
        return encoded(flat(), kind, exif=exif)
    sound = Image.Exif()  # Pillow's encoder parses the EXIF, so the odd one is written over a sound one
    sound[270] = len(exif) * "x"
    data = encoded(flat(), kind, exif=sound.tobytes())
    place = data.index(b"MM\0*" if b"MM\0*" in data else b"II*\0")
    odd = exif.removeprefix(b"Exif\0\0")
    return data[:place] + odd + data[place + len(odd) :]


@pytest.mark.parametrize("name", ODD_EXIF)
@pytest.mark.parametrize("kind", FORMATS)
def test_odd_exif_is_no_error(name, kind):
    exif = Image.open(io.BytesIO((TRIALS / name).read_bytes())).info["exif"]
    assert decode_opaque(with_exif(kind, exif)).size == 64 * 48 * 3
    assert decode_opaque((TRIALS / name).read_bytes()).size


@pytest.mark.parametrize("name", ["person.heic", "person.avif"])
def test_a_phone_s_formats_look_like_the_jpeg(name):
    found = decode_opaque((TRIALS / name).read_bytes()).astype(int)
    assert np.median(np.abs(found - decode_opaque((TRIALS / "person.jpg").read_bytes()))) < 6


def test_heic_without_its_decoder_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    decoding._can_read_heic.cache_clear()
    with pytest.raises(NotAPicture, match=r"HEIC.*Most Compatible"):
        decode_opaque((TRIALS / "person.heic").read_bytes())
    decoding._can_read_heic.cache_clear()


@pytest.mark.parametrize("name", ["person.heic", "person.avif"])
@pytest.mark.parametrize("length", [12, 40, 200, 400, 1000, 3000])
def test_phone_formats_that_are_cut_off_are_no_pictures(name, length):
    with pytest.raises(NotAPicture):
        decode_opaque((TRIALS / name).read_bytes()[:length])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_plain_pictures_are_what_opencv_makes_of_them(kind):
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert read_metadata(data).plain
    for decode, flags in ((decode_opaque, cv2.IMREAD_COLOR), (decode_grey, cv2.IMREAD_GRAYSCALE)):
        assert (decode(data) == cv2.imdecode(np.frombuffer(data, np.uint8), flags)).all()


@pytest.mark.parametrize("size", [(1, 4), (4, 1), (1, 1), (2, 2)])
def test_a_tiny_transparent_picture_is_laid_over_white(size):
    """OpenCV takes an array of one column and four rows for a colour."""
    width, height = size
    picture = np.full((height, width, 4), (10, 20, 30, 0), np.uint8)
    assert (decode_opaque(cv2.imencode(".png", picture)[1].tobytes()) == 255).all()
