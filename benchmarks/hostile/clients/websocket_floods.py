"""WebSocket frames that carry nothing or nearly nothing, at a mebibyte a second."""

from benchmarks.hostile.clients.client import Endless
from benchmarks.hostile.connection import CONTINUATION, PING, PONG, TEXT, Connection, frame, until_refused
from benchmarks.hostile.target import Target

BYTES_PER_S = 2**20
_BLOCK = 16 * 1024  # bytes of each write, so that a second has 64 of them


class _Flood(Endless):
    period_s = 6.0

    async def attempt(self, target: Target, source: str) -> str:
        """Every second attempt reads nothing, so that the server's answers pile up."""
        async with Connection.open(target, source) as connection:
            status = await connection.upgrade(target)
            if status != "101":
                return status
            await connection.send(self.opening)
            flood = connection.flood(self.repeated * (_BLOCK // len(self.repeated)), BYTES_PER_S)
            return await until_refused(flood, self._refusal(connection), self.seconds)

    async def _refusal(self, connection: Connection) -> str:
        if not next(self.alternate):
            await connection.broken()
        return await connection.close_code()


class PingFlood(_Flood):
    """Empty pings, each of which wants a pong."""

    name = "ping flood"
    repeated = frame(PING)


class PingsWithPayload(_Flood):
    """Pings of 125 bytes, the most that a control frame may have."""

    name = "pings with payload"
    repeated = frame(PING, b"p" * 125)


class PongFlood(_Flood):
    """Pongs that answer no ping."""

    name = "pong flood"
    repeated = frame(PONG)


class EmptyContinuations(_Flood):
    """One message that never ends, in fragments of no bytes."""

    name = "empty continuation frames"
    opening = frame(TEXT, b"{", final=False)
    repeated = frame(CONTINUATION, final=False)


class OneByteFragments(_Flood):
    """One message that never ends, in fragments of one byte."""

    name = "continuation frames of a byte"
    opening = frame(TEXT, b"{", final=False)
    repeated = frame(CONTINUATION, b" ", final=False)


class SmallMessages(_Flood):
    """Whole messages of an unknown type, which a server must ignore: it need not refuse them."""

    name = "messages of two bytes"
    endless = False
    repeated = frame(TEXT, b"{}")
