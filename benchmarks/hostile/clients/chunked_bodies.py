"""Chunked bodies whose framing never ends, with a key and after a 401."""

from benchmarks.hostile.clients.client import Endless
from benchmarks.hostile.connection import Connection, until_refused
from benchmarks.hostile.target import Target

BYTES_PER_S = 8 * 2**20
_PATH = "/api/fabric/scan"


class _EndlessFraming(Endless):
    period_s = 5.0

    async def attempt(self, target: Target, source: str) -> str:
        """Every second attempt has no credentials, so that the 401 comes at once. Only the end of the
        connection is a refusal: a server may answer and go on reading."""
        with_key = next(self.alternate)
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        async with Connection.open(target, source) as connection:
            await connection.send(target.head("POST", _PATH, headers, with_key) + self.opening)
            flood = connection.flood(self.repeated, BYTES_PER_S)
            return await until_refused(flood, _refusal(connection), self.seconds)


async def _refusal(connection: Connection) -> str:
    status = await connection.status()
    await connection.broken()
    return status


class EndlessTrailers(_EndlessFraming):
    """Trailer fields after the last chunk (RFC 9112, section 7.1.2)."""

    name = "chunked trailers"
    opening = b"2\r\n{}\r\n0\r\n"
    repeated = b"".join(b"X-%04d: %s\r\n" % (number, b"t" * 1000) for number in range(64))


class EndlessExtension(_EndlessFraming):
    """One chunk extension without an end (RFC 9112, section 7.1.1)."""

    name = "chunk extension"
    opening = b"2;extension="
    repeated = b"e" * 65_536


class ManyExtensions(_EndlessFraming):
    """Chunks of one byte, each with an extension of a kilobyte."""

    name = "chunk extensions"
    repeated = b"".join(b"1;x=%s\r\n \r\n" % (b"e" * 1000) for _ in range(64))
