"""Posting a multipart/form-data body (RFC 7578)."""

import contextlib

from benchmarks.hostile.connection import Connection
from benchmarks.hostile.target import Target

BOUNDARY = "hostile-boundary"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    suffix = f'; filename="{filename}"' if filename else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{suffix}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def form_headers(size: int, charset: str | None = None) -> dict[str, str]:
    named = f"; charset={charset}" if charset else ""
    return {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}{named}",
        "Content-Length": str(size),
    }


async def post(target: Target, source: str, path: str, body: bytes, charset: str | None = None) -> str:
    """The answer's status."""
    async with Connection.open(target, source) as connection:
        with contextlib.suppress(ConnectionError):  # refused before the body's end: the answer may be there
            await connection.send(target.head("POST", path, form_headers(len(body), charset)) + body)
        return await connection.status()
