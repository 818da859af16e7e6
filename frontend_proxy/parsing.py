"""Bytes of a client as values, of which there may be only so many.

A few megabytes of `[[],[],[],…` are millions of values: reading them takes seconds, and no socket is served
meanwhile. Nesting is bounded by the parsers: 200 levels of JSON, 1024 of MessagePack.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgpack
import numpy as np
from pydantic_core import from_json

Parsed = TypeVar("Parsed")

MAX_VALUES = 4096  # of one message; a pose has 166, a face's mesh 2500
MAX_LENGTH = 1024  # of one MessagePack array or map, for which room is made before it is read
LARGE = 2**21  # bytes, which take some 6 ms to read

TOO_MANY = f"more than {MAX_VALUES:,} values; send images as strings or bytes, and 33 landmarks"

_BEFORE_A_VALUE = [ord(mark) for mark in ",[{"]
_CHUNK = 2**18  # bytes that fit the processor's cache


def parse_json(text: str | bytes) -> Any:
    """RFC 8259, and NaN and Infinity as Python clients send them. Raises ValueError."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_VALUES and _most_values(data) > MAX_VALUES:
        raise ValueError(TOO_MANY)
    return from_json(data)


def parse_msgpack(frame: bytes) -> Any:
    """https://github.com/msgpack/msgpack/blob/master/spec.md. Raises ValueError."""
    values = 0

    def count(container: Parsed) -> Parsed:
        nonlocal values
        values += 1 + len(container)  # type: ignore[arg-type]
        if values > MAX_VALUES:
            raise ValueError(TOO_MANY)
        return container

    return msgpack.unpackb(
        frame, max_array_len=MAX_LENGTH, max_map_len=MAX_LENGTH, list_hook=count, object_hook=count
    )


async def beside_the_loop(size: int, parse: Callable[..., Parsed], *args: Any) -> Parsed:
    """`parse(*args)`, in a thread where `size` bytes would hold up all that the event loop serves."""
    return parse(*args) if size <= LARGE else await asyncio.to_thread(parse, *args)


def _most_values(json: bytes) -> int:
    """No JSON text has more values than marks that one can follow; those in strings count, too."""
    marks = np.frombuffer(json, np.uint8)
    return sum(
        int(np.count_nonzero(marks[start : start + _CHUNK] == mark))
        for start in range(0, len(marks), _CHUNK)
        for mark in _BEFORE_A_VALUE
    )
