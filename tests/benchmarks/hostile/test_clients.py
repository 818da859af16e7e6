"""Each hostile client sends what its description says, from its own address."""

import asyncio
import io
import itertools
import re

import msgpack
import pytest
from PIL import Image

from benchmarks.hostile import pictures
from benchmarks.hostile.clients.chunked_bodies import EndlessExtension, EndlessTrailers, ManyExtensions
from benchmarks.hostile.clients.multipart_forms import CHARSETS, PATHS, ManyFields, NamedCharset
from benchmarks.hostile.clients.pictures import PictureSender
from benchmarks.hostile.clients.unfinished_bodies import HELD, UnfinishedBodies
from benchmarks.hostile.clients.websocket_floods import (
    EmptyContinuations,
    OneByteFragments,
    PingFlood,
    PingsWithPayload,
    PongFlood,
    SmallMessages,
)
from benchmarks.hostile.connection import BINARY, CLOSED, NOT_REFUSED, frame
from tests.benchmarks.hostile.servers import OPEN, SOURCE, Recorder, recording

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n"


async def attempts(recorder, client, count=1):
    async with recording(recorder) as target:
        return [await client.attempt(target, SOURCE) for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (PingFlood, b"(\x89\x80\0\0\0\0)+"),
        (PingsWithPayload, b"(\x89\xfd\0\0\0\0p{125})+"),
        (PongFlood, b"(\x8a\x80\0\0\0\0)+"),
        (OneByteFragments, rb"\x01\x81\0\0\0\0\{(\x00\x81\0\0\0\0 )+"),
        (SmallMessages, rb"(\x81\x82\0\0\0\0\{\})+"),
        (EmptyContinuations, rb"\x01\x81\0\0\0\0\{(\x00\x80\0\0\0\0)+"),
    ],
)
async def test_a_flood_of_frames_goes_on_until_it_is_refused(kind, wire):
    recorder = Recorder(answer=OPEN, refuse_after=100_000, ending=b"\x88\x02\x03\xf0")
    outcomes = await attempts(recorder, kind(), 2)
    assert outcomes[0] in ("ws 1008", CLOSED)  # a reset may overtake the close frame
    assert outcomes[1] in ("ws 1008", CLOSED)
    assert recorder.peers == [SOURCE] * 2
    assert recorder.heads[0].startswith("GET /ws HTTP/1.1\r\n")
    assert "Authorization: Bearer the-key\r\n" in recorder.heads[0]
    for body in recorder.bodies:
        assert len(body) >= 100_000
        assert re.match(wire, body)[0] == body[: re.match(wire, body).end()]
        assert len(body) - re.match(wire, body).end() < 131, "nothing else is sent"


async def test_a_flood_that_nobody_refuses_says_so_and_keeps_its_rate():
    kind, recorder = PingFlood(), Recorder(answer=OPEN)
    kind.seconds = 0.5
    assert await attempts(recorder, kind, 2) == [NOT_REFUSED] * 2
    for body in recorder.bodies:
        assert 100_000 < len(body) < 2**20, "half a second at a mebibyte a second"


async def test_a_close_frame_is_read_with_its_code():
    recorder = Recorder(answer=OPEN + b"\x88\x02\x03\xf0", refuse_after=1)
    assert await attempts(recorder, PingFlood()) == ["ws 1008"]


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (EndlessTrailers, rb"2\r\n\{\}\r\n0\r\n(X-\d{4}: t{1000}\r\n)+"),
        (EndlessExtension, rb"2;extension=e+"),
        (ManyExtensions, rb"(1;x=e{1000}\r\n \r\n)+"),
    ],
)
async def test_endless_framing_goes_on_after_the_answer(kind, wire):
    """A server that answers 401 and goes on reading has refused nothing."""
    recorder = Recorder(answer=b"HTTP/1.1 401 Unauthorized\r\n\r\n", refuse_after=200_000)
    assert await attempts(recorder, kind(), 2) == ["401", "401"]
    for body in recorder.bodies:
        assert len(body) >= 200_000
        assert re.match(wire, body)
    with_key, without = recorder.heads
    assert "Authorization" in with_key
    assert "Authorization" not in without
    assert all("Transfer-Encoding: chunked" in head for head in recorder.heads)
    patient = kind()
    patient.seconds = 0.3
    assert await attempts(Recorder(answer=b"HTTP/1.1 401 Unauthorized\r\n\r\n"), patient) == [NOT_REFUSED]


async def test_a_form_names_each_codec_on_each_path():
    recorder = Recorder(answer=TOO_LARGE)
    count = len(CHARSETS) * len(PATHS)
    assert await attempts(recorder, NamedCharset(field_bytes=1000), count) == ["413"] * count
    named = {
        (re.search("charset=(.*)\r", head)[1], re.match("POST (.*) HTTP", head)[1]) for head in recorder.heads
    }
    assert named == set(itertools.product(CHARSETS, PATHS))


async def test_a_form_has_very_many_fields_or_a_large_sum():
    recorder = Recorder(answer=b"", refuse_after=0, ending=TOO_LARGE)

    async def whole(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        recorder.bodies.append(await reader.readexactly(int(re.search("Length: (.*)\r", head)[1])))
        writer.write(TOO_LARGE)

    recorder.serve = whole
    assert await attempts(recorder, ManyFields(many=500, large=2000), 3) == ["413"] * 3
    many, _, large = recorder.bodies
    assert many.count(b"Content-Disposition: form-data") == 500
    assert large.count(b"Content-Disposition: form-data") == 99
    assert large.count(b"x" * 2000) == 99


async def test_an_unfinished_body_lacks_one_byte():
    recorder = Recorder()
    assert await attempts(recorder, UnfinishedBodies(2, 1, hold_s=0.7), 2) == [HELD] * 2
    assert [len(body) for body in recorder.bodies] == [2 * 2**20 - 1, 2**20 - 1]
    assert f"Content-Length: {2 * 2**20}\r\n" in recorder.heads[0]
    assert f"Content-Length: {2**20}\r\n" in recorder.heads[1]
    assert "application/json" in recorder.heads[0]
    assert "multipart/form-data" in recorder.heads[1]
    refusing = Recorder(answer=TOO_LARGE, refuse_after=1000)
    assert await attempts(refusing, UnfinishedBodies(2, 2)) == ["413"]


async def test_a_picture_goes_as_keyframe_capture_and_scan():
    sent = []

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("GET /ws"):
            writer.write(OPEN)
            head_of_frame = await reader.readexactly(14)
            length = int.from_bytes(head_of_frame[2:10], "big")
            sent.append(head_of_frame + await reader.readexactly(length))
            writer.write(frame_of_server(msgpack.packb({"code": "IMAGE_DECODE"})))
        else:
            sent.append(head.encode() + await reader.readexactly(int(re.search("Length: (.*)\r", head)[1])))
            writer.write(b"HTTP/1.1 503 Overloaded\r\n\r\n")
        await writer.drain()

    recorder = Recorder()
    recorder.serve = serve
    picture = b"p" * 70_000
    outcomes = await attempts(recorder, PictureSender("one", 1.0, lambda: picture), 3)
    assert outcomes == ["IMAGE_DECODE", "503 without Retry-After", "503 without Retry-After"]
    keyframe, capture, scan = sent
    assert frame(BINARY, b"")[0] == keyframe[0]
    assert keyframe.count(picture) == 2
    assert capture.startswith(b"POST /virtual-tryon ")
    assert capture.count(picture) == 2
    assert scan.startswith(b"POST /api/fabric/scan ")
    assert scan.count(picture) == 1


def frame_of_server(payload):
    return bytes([0x82, len(payload)]) + payload


async def test_an_answer_that_never_comes_does_not_end_the_attempt():
    """The attack's own deadline does."""
    recorder = Recorder()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await attempts(recorder, PictureSender("one", 1.0, lambda: b"x", ("scan",)))


@pytest.mark.parametrize(
    ("picture", "unit"),
    [
        (pictures.jpeg_of_fill_bytes(50_000), b"\xff" * 50_000),
        (pictures.jpeg_of_tiny_segments(50_000), b"\xff\xfe\x00\x02" * 12_500),
        (pictures.png_of_tiny_chunks(50_000), b"teXt"),
    ],
)
def test_a_picture_of_much_framing_is_a_valid_one(picture, unit):
    assert unit in picture
    image = Image.open(io.BytesIO(picture))
    image.load()
    assert image.size == (128, 96)


def test_a_webp_of_tiny_chunks_says_its_length():
    picture = pictures.webp_of_tiny_chunks(8000)
    assert picture.count(b"JUNK\0\0\0\0") == 1000
    assert int.from_bytes(picture[4:8], "little") == len(picture) - 8


def test_a_tiff_has_one_tile_larger_than_itself():
    image = Image.open(io.BytesIO(pictures.tiff_with_one_tile(64, 512)))
    assert image.size == (64, 64)
    assert (image.tag_v2[322], image.tag_v2[323]) == (512, 512)
    image.load()
    assert len(pictures.tiff_with_one_tile(64, 512)) < 2000


@pytest.mark.parametrize(
    "picture",
    [
        pictures.png_of_pixels(700, 300),
        pictures.png_of_pixels(700, 300, 16, 4),
        pictures.jpeg_of_pixels(700, 300),
        pictures.jpeg_of_pixels(700, 300, True),
    ],
)
def test_a_picture_of_many_pixels_is_whole_and_small(picture):
    image = Image.open(io.BytesIO(picture))
    image.load()
    assert image.size == (700, 300)
    assert len(picture) < 700 * 300 / 10
