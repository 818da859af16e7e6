"""HTTP to the public internet only: no URL of a client may lead to an internal address (CWE-918, SSRF).

A name is looked up once, all its addresses are checked, and the connection goes to one of them; a different
answer of the DNS a moment later (rebinding) changes nothing. Redirects are not followed.

httpx is imported with the first URL: it takes 0.1 s of a start, and most servers fetch nothing.
"""

import ipaddress
import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from frontend_proxy.captures.host_names import Resolver, UnknownHost, ascii_host

if TYPE_CHECKING:
    import httpx

# IPv6 addresses that carry an IPv4 address, which is what counts: RFC 6052 (NAT64). `ipaddress` knows 6to4
# and Teredo, but takes them for global.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddress(Exception):
    """The URL leads to an internal address, or nowhere; the message says so."""


class Unreachable(Exception):
    """The URL's server gave no answer; the message says why."""


class TooLarge(Exception):
    """The answer has more bytes than allowed; the message says so."""


class PublicHttp:
    """Requests to public addresses over https. `internal_hosts` may have internal addresses and plain http.
    `what` the URLs lead to is said in messages.

    Each request has a connection of its own: with a shared pool, a request to one name could use a connection
    whose certificate was checked for another name of the same address.
    """

    def __init__(
        self, internal_hosts: Collection[str] = (), resolver: Resolver | None = None, what: str = "a webhook"
    ) -> None:
        self._what = what
        self._internal_hosts = {_lenient_ascii(host) for host in internal_hosts}
        self._resolver = resolver or Resolver()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        import httpx

        return httpx.create_ssl_context()

    async def post(self, url: str, content: bytes, headers: dict[str, str]) -> int:
        """The answer's status; its body, which may be endless, is not read.

        Raises ForbiddenAddress, Unreachable, OSError.
        """
        request = await self._request("POST", url, headers, content)
        with _translated_errors():
            async with self._connection() as connection:
                response = await connection.handle_async_request(request)
                await response.aclose()
                return response.status_code

    async def get(self, url: str, max_bytes: int, take: Callable[[int], None]) -> tuple[int, bytes]:
        """The answer's status and body. Raises TooLarge, what `take` raises, and what `post` raises.

        take: called with the size of each part of the body, before it is kept.
        """
        request = await self._request("GET", url, {"Accept": "image/*", "Accept-Encoding": "identity"})
        data = bytearray()
        with _translated_errors():
            async with self._connection() as connection:
                response = await connection.handle_async_request(request)
                try:
                    async for chunk in response.aiter_raw():
                        take(len(chunk))
                        data += chunk
                        if len(data) > max_bytes:
                            raise TooLarge(f"{self._what} has more than {max_bytes} bytes")
                finally:
                    await response.aclose()
            return response.status_code, bytes(data)

    async def _request(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None = None
    ) -> "httpx.Request":
        import httpx

        parsed = _parsed(url)
        address = await self._address(parsed)
        request = httpx.Request(method, parsed, headers={**headers, "Connection": "close"}, content=content)
        # The Host header is the name's, and TLS checks the name's certificate.
        request.extensions = {"sni_hostname": _host(parsed)}
        request.url = parsed.copy_with(host=address)
        return request

    def _connection(self) -> "httpx.AsyncBaseTransport":
        import httpx

        return httpx.AsyncHTTPTransport(verify=self._tls)

    async def check(self, url: str) -> str:
        """An address to connect to. Raises ForbiddenAddress."""
        return await self._address(_parsed(url))

    async def _address(self, url: "httpx.URL") -> str:
        host = _host(url)
        trusted = host in self._internal_hosts
        if url.scheme != "https" and not (trusted and url.scheme == "http"):
            raise ForbiddenAddress(f"{self._what}'s URL must begin with https, not {url.scheme or 'nothing'}")
        if url.userinfo or not host:
            raise ForbiddenAddress(f"{self._what}'s URL must name a host, and no user or password")
        port = (443 if url.scheme == "https" else 80) if url.port is None else url.port
        if not 1 <= port <= 65535:
            raise ForbiddenAddress(f"{self._what}'s URL must name a port from 1 to 65535, not {port}")
        try:
            addresses = await self._resolver.addresses(host, port)
        except UnknownHost as error:
            raise ForbiddenAddress(str(error)) from None
        if not addresses or not (trusted or all(map(is_public, addresses))):
            raise ForbiddenAddress(f"the host {host} is not on the public internet")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether the address is globally routable: not private, local, multicast or reserved."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return is_public(str(parsed.ipv4_mapped))
        if parsed.sixtofour or parsed.teredo or parsed in _NAT64 or parsed.is_site_local:
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def host_of(url: str) -> str:
    """The host's name as the URL holds it; "" for a URL that cannot be parsed."""
    try:
        return _parsed(url).raw_host.decode("ascii").lower()
    except (ForbiddenAddress, ValueError):
        return ""


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raises Unreachable for httpx's errors."""
    import httpx

    try:
        yield
    except httpx.HTTPError as error:
        raise Unreachable(str(error) or type(error).__name__) from error


def _parsed(url: str) -> "httpx.URL":
    """Raises ForbiddenAddress if it is no URL."""
    import httpx

    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ForbiddenAddress(str(error)) from error


def _host(url: "httpx.URL") -> str:
    """The host's ASCII name. `httpx.URL.host` decodes it, and raises for names that IDNA does not allow."""
    try:
        return ascii_host(url.raw_host.decode("ascii"))
    except UnknownHost as error:
        raise ForbiddenAddress(str(error)) from None


def _lenient_ascii(host: str) -> str:
    """As `_host` writes it; a name that is no valid one matches nothing."""
    try:
        return ascii_host(host)
    except UnknownHost:
        return host.lower()
