"""Bodies of the largest size whose last byte never comes."""

import asyncio
import itertools

from benchmarks.hostile.clients.client import Defaults
from benchmarks.hostile.clients.form import form_headers, part
from benchmarks.hostile.connection import NOT_REFUSED, Connection, until_refused
from benchmarks.hostile.target import Target

HELD = "held"  # the server waited for the last byte: it may, for the body's deadline
_MIB = 2**20


class UnfinishedBodies(Defaults):
    """In turn 27 MiB of JSON and 20 MiB of a form, within what is accepted, all but the last byte.
    20 at once, five from each address."""

    name = "unfinished bodies"
    period_s = 1.0
    at_once = 20
    within_s = 30.0

    def __init__(self, json_mib: int = 27, form_mib: int = 20, hold_s: float = 20.0):
        self._hold_s = hold_s
        self._block = b"x" * _MIB
        self._turns = itertools.cycle(((False, json_mib * _MIB), (True, form_mib * _MIB)))

    async def attempt(self, target: Target, source: str) -> str:
        as_form, size = next(self._turns)
        if as_form:
            headers, opening = form_headers(size), part("user_image", b"", "picture")[:-2]
        else:
            headers = {"Content-Type": "application/json", "Content-Length": str(size)}
            opening = b'{"user_image": "'
        async with Connection.open(target, source) as connection:

            async def send() -> None:
                await connection.send(target.head("POST", "/virtual-tryon", headers) + opening)
                left = size - len(opening) - 1
                while left:
                    await connection.send(self._block[:left])
                    left -= min(left, len(self._block))
                await asyncio.sleep(self._hold_s)

            outcome = await until_refused(send(), connection.status(), self._hold_s)
        return HELD if outcome == NOT_REFUSED else outcome
