"""Forms whose reading is costly: the client names the codec, or there are very many fields."""

import itertools

from benchmarks.hostile.clients.client import Defaults
from benchmarks.hostile.clients.form import form, part, post
from benchmarks.hostile.target import Target

PATHS = ("/virtual-tryon", "/api/fabric/scan")
CHARSETS = ("punycode", "idna", "utf-7", "unicode_escape")


class NamedCharset(Defaults):
    """A field of 0.3 MB in a codec of Python's that is quadratic (punycode) or raises its own errors."""

    name = "multipart with a charset"
    period_s = 2.0

    def __init__(self, field_bytes: int = 300_000):
        self._body = form(part("fabric_id", b"a" * field_bytes))
        self._turns = itertools.cycle(itertools.product(CHARSETS, PATHS))

    async def attempt(self, target: Target, source: str) -> str:
        charset, path = next(self._turns)
        return await post(target, source, path, self._body, charset)


class ManyFields(Defaults):
    """In turn: 20,000 fields of one byte; 99 fields of 200 kB, each below the limit of one field."""

    name = "multipart with many fields"
    period_s = 2.0

    def __init__(self, many: int = 20_000, large: int = 200_000):
        bodies = (
            form(*(part(f"f{number}", b"x") for number in range(many))),
            form(*(part(f"f{number}", b"x" * large) for number in range(99))),
        )
        self._turns = itertools.cycle(itertools.product(bodies, PATHS))

    async def attempt(self, target: Target, source: str) -> str:
        body, path = next(self._turns)
        return await post(target, source, path, body)
