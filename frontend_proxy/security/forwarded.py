"""The client's address, scheme and host behind reverse proxies (X-Forwarded-For, -Proto and -Host)."""

import ipaddress
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from frontend_proxy.origin import parse_origin
from frontend_proxy.security.origins import DIRECT_HOST


class ForwardedHeaders:
    """ASGI middleware that reads these headers from the addresses in `FORWARDED_ALLOW_IPS` only.

    uvicorn's own middleware knows X-Forwarded-For and X-Forwarded-Proto; this one adds X-Forwarded-Host. The
    scope is changed in place, because uvicorn logs the scope that it has made.
    """

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        self._inner = ProxyHeadersMiddleware(cast(Any, app), trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if scope["client"]:
                scope["client"] = (unmapped(scope["client"][0]), scope["client"][1])
            if (scope["client"][0] if scope["client"] else None) in self._inner.trusted_hosts:
                _take_host(scope)
        await self._inner(cast(Any, scope), cast(Any, receive), cast(Any, send))


def unmapped(address: str) -> str:
    """The IPv4 address of an IPv4 client of a dual-stack socket (`::ffff:192.0.2.1`); else the address."""
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return address if mapped is None else str(mapped)


def _take_host(scope: Scope) -> None:
    """Replace Host by the first X-Forwarded-Host, the one that the client sent to the outermost proxy."""
    headers = Headers(scope=scope)
    host = headers.get("X-Forwarded-Host", "").partition(",")[0].strip()
    if parse_origin(f"http://{host}") is None or not host.isascii():
        return
    scope[DIRECT_HOST] = headers.get("Host", "")
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    scope["headers"] = [(b"host", host.encode()), *others]
