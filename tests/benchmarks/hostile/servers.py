"""A server that writes down what a hostile client sends, and answers as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.hostile.target import Target

SOURCE = "127.0.0.3"
OPEN = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


@dataclass
class Recorder:
    """answer: sent once the head has come. refuse_after: the connection is closed after so many bytes more;
    None reads to the end. ending: sent before that."""

    answer: bytes = b""
    refuse_after: int | None = None
    ending: bytes = b""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(ConnectionError):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            body = bytearray()
            self.bodies.append(body)
            writer.write(self.answer)
            while self.refuse_after is None or len(body) < self.refuse_after:
                data = await reader.read(65_536)
                if not data:
                    break
                body += data
            writer.write(self.ending)
            await writer.drain()


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncIterator[Target]:
    connections: set[asyncio.Task | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        with contextlib.suppress(asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            await recorder.serve(reader, writer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1], "the-key")
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections)
