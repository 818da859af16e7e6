"""One TCP connection from a chosen source address, with HTTP and WebSocket spoken by hand.

Client libraries refuse to send what the hostile clients send.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from benchmarks.hostile.target import Target

CLOSED = "closed"  # without an answer
NOT_REFUSED = "not refused"
_LAST_WORDS_S = 1.0  # how long an answer may follow a connection that takes no more bytes
# The masking key is zero, so a masked payload is the payload.
_MASK = b"\0\0\0\0"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL = 0x80


def frame(opcode: int, payload: bytes = b"", final: bool = True) -> bytes:
    """A masked WebSocket frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        length = bytes([_FINAL | size])
    elif size < 2**16:
        length = bytes([_FINAL | 126]) + struct.pack(">H", size)
    else:
        length = bytes([_FINAL | 127]) + struct.pack(">Q", size)
    return bytes([opcode | (_FINAL if final else 0)]) + length + _MASK + payload


class Connection:
    """What it reads is told as an outcome: an HTTP status, `ws <close code>` or CLOSED."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target, source: str) -> AsyncIterator["Connection"]:
        """Raises OSError where the server does not accept."""
        reader, writer = await asyncio.open_connection(target.host, target.port, local_addr=(source, 0))
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()  # bytes that the server did not take are dropped

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def flood(self, block: bytes, bytes_per_s: float) -> None:
        """Send `block` again and again, at most so fast. Ends only with ConnectionError or when cancelled."""
        began, sent = time.monotonic(), 0
        while True:
            await self.send(block)
            sent += len(block)
            await asyncio.sleep(max(0.0, began + sent / bytes_per_s - time.monotonic()))

    async def status(self) -> str:
        """The status of the next HTTP answer; a 503 that does not say when to try again says so."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        except (asyncio.IncompleteReadError, ConnectionError):
            return CLOSED
        status = head.split(" ", 2)[1]
        missing = status == "503" and "\r\nretry-after:" not in head
        return f"{status} without Retry-After" if missing else status

    async def upgrade(self, target: Target, subprotocol: str | None = None) -> str:
        """Open the WebSocket /ws; the answer's status, 101 if it is open."""
        headers = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "bG9vcGJhY2sgb25seSEhIQ==",
        }  # fmt: skip
        headers |= {"Sec-WebSocket-Protocol": subprotocol} if subprotocol else {}
        await self.send(target.head("GET", "/ws", headers))
        return await self.status()

    async def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next WebSocket frame. Raises IncompleteReadError at the end."""
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
        return first & 0xF, await self._reader.readexactly(size)

    async def close_code(self) -> str:
        """Read WebSocket frames until the server closes."""
        try:
            while True:
                opcode, payload = await self.receive()
                if opcode == CLOSE:
                    return f"ws {struct.unpack('>H', payload[:2])[0] if payload else 1005}"
        except (asyncio.IncompleteReadError, ConnectionError):
            return CLOSED

    async def broken(self) -> None:
        """Wait, without reading, until the server has closed the connection."""
        while not self._writer.transport.is_closing():
            await asyncio.sleep(0.05)


async def until_refused(sending: Awaitable[None], refusal: Awaitable[str], seconds: float) -> str:
    """Send until `refusal` is read; NOT_REFUSED where that takes longer than `seconds`."""
    flood, answer = asyncio.ensure_future(sending), asyncio.ensure_future(refusal)
    try:
        await asyncio.wait({flood, answer}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if flood.done() and not answer.done():
            await asyncio.wait({answer}, timeout=_LAST_WORDS_S)
            if not answer.done():
                return CLOSED if flood.exception() else NOT_REFUSED
        return answer.result() if answer.done() else NOT_REFUSED
    finally:
        for task in (flood, answer):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task
