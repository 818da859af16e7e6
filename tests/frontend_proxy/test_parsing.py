import json
import threading
import time

import msgpack
import pytest

from frontend_proxy.parsing import (
    LARGE,
    MAX_LENGTH,
    MAX_LINES,
    MAX_VALUES,
    parse_json,
    parse_lines,
    parse_msgpack,
    run_in_thread_if_large,
)

TEN_MB = 10 * 2**20


@pytest.mark.parametrize(
    "text",
    [
        "[" * TEN_MB,
        '{"pose": ' + "[" * TEN_MB,
        '{"pose": ' + "[" * 500 + "]" * 500 + "}",
        '{"pose": [' + "[]," * (TEN_MB // 3) + "0]}",
        '{"pose": [' + "{}," * (TEN_MB // 3) + "0]}",
        '{"pose": [' + "0," * (TEN_MB // 2) + "0]}",
        "{" + '"":0,' * (TEN_MB // 5) + '"":0}',
        '{"pose": [' + ("[" * 150 + "]" * 150 + ",") * (TEN_MB // 301) + "0]}",
        '{"seed": ' + "9" * TEN_MB + "}",
    ],
    ids=["open", "nested", "deep", "lists", "maps", "numbers", "keys", "deep lists", "digits"],
)
def test_json_of_too_many_values_is_refused_before_they_are_made(text: str) -> None:
    """3.5 million empty lists stopped every socket for two seconds. Processor time, not the clock's."""
    began = time.process_time()
    with pytest.raises(ValueError, match=r"values|recursion limit|out of range"):
        parse_json(text)
    assert time.process_time() - began < 0.2


def test_as_many_values_as_allowed_are_read() -> None:
    values = [0] * (MAX_VALUES - 3)
    assert parse_json(json.dumps({"a": values})) == {"a": values}
    assert parse_json(json.dumps({"camera_frame": "x" * TEN_MB}))["camera_frame"] == "x" * TEN_MB
    with pytest.raises(ValueError, match="4,096 values"):
        parse_json(json.dumps({"a": [*values, 0, 0, 0]}))


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81\xa1a" + b"\x91" * TEN_MB,
        b"\x81\xa1a" + b"\x91" * 2000 + b"\xc0",
        msgpack.packb({"a": [[0] * MAX_LENGTH] * 5}),
        msgpack.packb({"a": [[[]] * MAX_LENGTH] * MAX_LENGTH}),
        msgpack.packb({"a": [{str(i): {}} for i in range(MAX_LENGTH)], "b": [[[]] * 900] * 3}),
        msgpack.packb({"a": [0] * (MAX_LENGTH + 1)}),
        b"\xdd\xff\xff\xff\xff",
    ],
    ids=["open", "deep", "numbers", "lists", "maps", "long", "said to be long"],
)
def test_msgpack_of_too_many_values_is_refused_before_they_are_made(frame: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ValueError):  # noqa: PT011 - msgpack's own say nothing
        parse_msgpack(frame)
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("value", [[0] * (MAX_LENGTH + 1), {str(i): 0 for i in range(MAX_LENGTH + 1)}])
def test_what_is_too_long_for_msgpack_is_told_in_a_sentence(value: object) -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_LENGTH:,} elements; send"):
        parse_msgpack(msgpack.packb({"a": value}))


def test_a_real_message_is_far_below_the_bound() -> None:
    point = {"x": 0.5, "y": 0.3, "z": -0.1, "visibility": 0.95}
    message = {"type": "keyframe", "camera_frame": b"x" * 2**20, "pose": {"landmarks": [point] * 553}}
    assert parse_msgpack(msgpack.packb(message)) == message  # body, face and hands
    message["camera_frame"] = "x"
    assert parse_json(json.dumps(message)) == message


async def test_only_what_is_large_is_read_in_a_thread() -> None:
    here = threading.get_ident()
    assert await run_in_thread_if_large(LARGE, threading.get_ident) == here
    assert await run_in_thread_if_large(LARGE + 1, threading.get_ident) != here


TEXT = '{"name": "Köper ☂", "pose": null}'


@pytest.mark.parametrize(
    "encoding",
    [
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
    ],
)
def test_json_is_read_in_every_encoding_of_unicode_and_with_its_mark(encoding: str) -> None:
    """.NET and PowerShell write byte order marks; RFC 8259 (8.1) lets a reader skip them."""
    expected = {"name": "Köper ☂", "pose": None}
    assert parse_json(TEXT.encode(encoding)) == expected
    assert parse_json(bytearray(TEXT.encode(encoding))) == expected
    assert parse_json("\ufeff" + TEXT) == expected
    assert parse_json((TEXT + "\0").encode(encoding)) == expected


@pytest.mark.parametrize(
    "data",
    [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe{\x00\x00", b"\0\0\0{", TEXT.encode("latin-1", "ignore")],
)
def test_bytes_that_are_no_text_are_no_json(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the codec's or the parser's own
        parse_json(data)


def test_wide_text_is_bounded_like_any_other() -> None:
    with pytest.raises(ValueError, match="values"):
        parse_json(("[" + "0," * MAX_VALUES + "0]").encode("utf-16"))


def test_lines_have_their_values_or_their_error() -> None:
    one, broken, two = parse_lines(b'{"a": 1}\r\n\r\nnot json\r\n[2]', 10)
    assert (one, two) == ({"a": 1}, [2])
    assert isinstance(broken, ValueError)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("line", "count", "refused"),
    [(b"x", MAX_LINES, None), (b"x", 10**6, "lines"), (b"[" + b"0," * 4000 + b"0]", 100, "values")],
)
def test_lines_of_too_many_values_are_refused_before_they_are_made(
    end: bytes, line: bytes, count: int, refused: str | None
) -> None:
    """A megabyte of lines that are no JSON became 300 megabytes of errors."""
    lines = (line + end) * count
    if refused is None:
        assert len(parse_lines(lines, 1000)) == count
        return
    began = time.process_time()
    with pytest.raises(ValueError, match=refused):
        parse_lines(lines, 100_000)
    assert time.process_time() - began < 0.2
