"""HTTP to the outside only: no address that a client names may lead to what lies inside (CWE-918, SSRF).

A name is resolved once, every address that it has is checked, and the connection goes to a checked one;
another answer of the DNS a moment later (rebinding) changes nothing. Redirects are not followed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection

import httpx

# IPv6 addresses that carry an IPv4 address, which is what counts: RFC 6052 (NAT64). `ipaddress` knows 6to4
# and Teredo, but takes them for global.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class InsideAddress(Exception):
    """The address lies inside, or the name has none; the message says so."""


class PublicTransport(httpx.AsyncBaseTransport):
    """Requests to public addresses over https. `inside_hosts` may lie anywhere, and be plain http.

    Raises InsideAddress.
    """

    def __init__(self, inside_hosts: Collection[str] = ()) -> None:
        self._inside_hosts = {host.lower() for host in inside_hosts}
        self._http = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        address = await self.check(request.url)
        # The Host header was set from the name, and TLS asks for the name's certificate.
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=address)
        return await self._http.handle_async_request(request)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def check(self, url: httpx.URL) -> str:
        """An address to connect to. Raises InsideAddress."""
        trusted = url.host.lower() in self._inside_hosts
        if url.scheme != "https" and not (trusted and url.scheme == "http"):
            raise InsideAddress(f"a webhook's URL must begin with https, not {url.scheme or 'nothing'}")
        if url.userinfo or not url.host:
            raise InsideAddress("a webhook's URL must name a host, and no user or password")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                url.host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError):
            raise InsideAddress(f"the host {url.host} is not known") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not (trusted or all(map(is_public, addresses))):
            raise InsideAddress(f"the host {url.host} is not on the public internet")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether everybody's packets to it go to the same place, and that is no part of a private network."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return is_public(str(parsed.ipv4_mapped))
        if parsed.sixtofour or parsed.teredo or parsed in _NAT64 or parsed.is_site_local:
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
