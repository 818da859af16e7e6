"""Parse what clients send, with a limit on the number of values.

A few megabytes of `[[],[],[],…` are millions of values: making them takes seconds, and the event loop serves
no socket meanwhile. The parsers bound the nesting: 200 levels of JSON, 1024 of MessagePack.
"""

import asyncio
import codecs
from collections.abc import Callable
from typing import Any, TypeVar

import msgpack
import numpy as np
from pydantic_core import from_json

Parsed = TypeVar("Parsed")

MAX_VALUES = 4096  # per message; a pose has 166, a face mesh 2500
MAX_LENGTH = 1024  # per MessagePack array or map: msgpack allocates the whole length before it reads it
MAX_LINES = 20_000  # of JSON lines
LARGE = 2**21  # bytes, which take about 6 ms to parse

TOO_LONG = f"an array or map has more than {MAX_LENGTH:,} elements; send images as bytes, and 33 landmarks"
TOO_MANY = f"more than {MAX_VALUES:,} values; send images as strings or bytes, and 33 landmarks"

_BEFORE_A_VALUE = [ord(mark) for mark in ",[{"]
_CHUNK = 2**18  # bytes that fit into the processor's cache


def parse_json(text: str | bytes | bytearray, max_values: int = MAX_VALUES) -> Any:
    """A JSON value (RFC 8259, and NaN and Infinity, which Python clients send). Raises ValueError."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else _in_utf8(text)
    data = _without_marks(data)
    if len(data) > max_values and _max_values(data) > max_values:
        raise ValueError(TOO_MANY)
    return from_json(data)


def parse_lines(data: bytes | bytearray, max_values: int) -> list[Any]:
    """The values of JSON lines; a line that is none is the ValueError of its parsing.

    Raises ValueError for more than `MAX_LINES` lines or `max_values` values, before any is made.
    """
    if line_breaks(data) > MAX_LINES:
        raise ValueError(f"more than {MAX_LINES:,} lines")
    if _max_values(data) > max_values:
        raise ValueError(f"more than {max_values:,} values")
    return [_value(line) for line in data.splitlines() if line.strip()]


def line_breaks(data: bytes | bytearray) -> int:
    """Of Unix, or of Windows; half as many as there are, at least, where both are mixed."""
    return max(data.count(b"\n"), data.count(b"\r"))


def _value(line: bytes | bytearray) -> Any:
    try:
        return parse_json(line)
    except ValueError as error:
        return ValueError(str(error))  # without the traceback, which holds the line


def parse_msgpack(frame: bytes) -> Any:
    """A MessagePack value (https://github.com/msgpack/msgpack/blob/master/spec.md). Raises ValueError."""
    values = 0

    def count(container: Parsed) -> Parsed:
        nonlocal values
        values += 1 + len(container)  # type: ignore[arg-type]
        if values > MAX_VALUES:
            raise ValueError(TOO_MANY)
        return container

    try:
        return msgpack.unpackb(
            frame, max_array_len=MAX_LENGTH, max_map_len=MAX_LENGTH, list_hook=count, object_hook=count
        )
    except ValueError as error:
        if "exceeds max_" in str(error):  # names only a parameter of msgpack
            raise ValueError(TOO_LONG) from error
        raise


async def run_in_thread_if_large(size: int, parse: Callable[..., Parsed], *args: Any) -> Parsed:
    """`parse(*args)`; in a thread if parsing `size` bytes would block the event loop for long."""
    return parse(*args) if size <= LARGE else await asyncio.to_thread(parse, *args)


def _in_utf8(data: bytes | bytearray) -> bytes | bytearray:
    """Windows programs send UTF-16. JSON begins with an ASCII character, so its zeros tell the encoding."""
    start = bytes(data[:4])
    encoding: str | None
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding = "utf-32"
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = _WIDE.get(tuple(map(bool, start)))
    return data.decode(encoding).encode() if encoding else data


# Which of the first four bytes are not zero (RFC 4627, section 3).
_WIDE: dict[tuple[bool, ...], str] = {
    (False, False, False, True): "utf-32-be",
    (True, False, False, False): "utf-32-le",
    (False, True, False, True): "utf-16-be",
    (True, False, True, False): "utf-16-le",
}


def _without_marks(data: bytes | bytearray) -> bytes | bytearray:
    """Without a byte order mark, which RFC 8259 (8.1) lets a reader skip, and without a string's end in C."""
    data = data.removeprefix(codecs.BOM_UTF8)
    return data.rstrip(b"\0") if data.endswith(b"\0") else data


def _max_values(json: bytes | bytearray) -> int:
    """An upper bound on the number of values: the characters that can precede one, also inside strings."""
    marks = np.frombuffer(json, np.uint8)
    return sum(
        int(np.count_nonzero(marks[start : start + _CHUNK] == mark))
        for start in range(0, len(marks), _CHUNK)
        for mark in _BEFORE_A_VALUE
    )
