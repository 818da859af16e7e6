"""Names of webhooks' hosts: their ASCII form, and their addresses."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakValueDictionary

import idna

MAX_LOOKUPS = 64  # threads: getaddrinfo may hang for half a minute, and cannot be cancelled
MAX_LOOKUPS_PER_DOMAIN = 4  # so that one domain whose DNS hangs does not take all of them

Lookup = Callable[[str, int], list[str]]


class UnknownHost(Exception):
    """The name is invalid, or has no address; the message says so."""


def ascii_host(host: str) -> str:
    """The name as DNS and TLS need it: lower-case, international labels as IDNA 2008 encodes them.

    Python's sockets encode IDNA 2003, which takes straße.de for strasse.de. Raises UnknownHost.
    """
    try:
        if host.isascii() and "xn--" not in host.lower():
            return host.lower()
        return idna.encode(host, uts46=True, std3_rules=False).decode("ascii")
    except idna.IDNAError as error:
        raise UnknownHost(f"the host {host} is no valid name: {error}") from None


class Resolver:
    """Looks names up in threads of its own, so that a DNS that hangs holds up nothing else.

    Lookups above a limit wait; the caller says for how long.
    """

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._lookup = lookup or _getaddrinfo
        self._slots = asyncio.Semaphore(MAX_LOOKUPS)
        self._domains: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of an ASCII name. Raises UnknownHost."""
        domain = self._domains.setdefault(_domain(host), asyncio.Semaphore(MAX_LOOKUPS_PER_DOMAIN))
        await domain.acquire()
        try:
            await self._slots.acquire()
        except BaseException:
            domain.release()
            raise
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str]] = loop.create_future()

        def finish(found: list[str] | Exception) -> None:
            self._slots.release()  # not before: the caller may leave, but the thread goes on
            domain.release()
            if future.done():
                return
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

        def run() -> None:
            found: list[str] | Exception
            try:
                found = self._lookup(host, port)
            except (OSError, UnicodeError):
                found = UnknownHost(f"the host {host} is not known")
            except Exception as error:
                found = error
            with suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(finish, found)

        # A daemon thread: the process must be able to end while a lookup hangs.
        threading.Thread(target=run, name="webhook-lookup", daemon=True).start()
        return await future


def _domain(host: str) -> str:
    """What hangs together: the last two labels of a name, or an address."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ".".join(host.rstrip(".").split(".")[-2:])


def _getaddrinfo(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]
