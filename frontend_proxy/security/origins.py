"""Which pages may send unsafe requests and open WebSockets (protection against CSRF and DNS rebinding).

Browsers let any page send a simple POST to any server, and open a WebSocket to it; CORS only hides the
answer. With each of them the browser sends the page's origin (Fetch standard, RFC 6455 section 10.2).
"""

import ipaddress
import socket
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from frontend_proxy.errors import Forbidden
from frontend_proxy.origin import Origin, parse_origin

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110, section 9.2.1
DIRECT_HOST = "direct_host"  # in a scope: the Host header that X-Forwarded-Host has replaced


class OriginPolicy:
    """Lets pages of the listed origins, and the server's own pages, send unsafe requests.

    allowed: `CORS_ORIGINS`; `*` allows every page.
    public_url: `PUBLIC_URL`, whose origin is the server's own.

    Without `PUBLIC_URL` the request's own host is trusted only if it is localhost or an IP address. With DNS
    rebinding an attacker's page has a host name of its own that resolves to this server's address.
    """

    def __init__(self, allowed: Sequence[str], public_url: str | None) -> None:
        self._any = "*" in allowed
        self._allowed = {parse_origin(origin) or origin for origin in allowed}
        self._public = parse_origin("/".join(public_url.split("/", 3)[:3])) if public_url else None

    def check(self, scope: Scope) -> None:
        """Raises Forbidden if the request comes from a page that must not send it.

        A request without `Origin` and `Sec-Fetch-Site` comes from a program, which may send anything.
        """
        if self._any or (scope["type"] == "http" and scope["method"] in SAFE_METHODS):
            return
        headers = Headers(scope=scope)
        origins = headers.getlist("Origin")
        for text in origins:
            if not self._permits(text, scope, headers):
                raise Forbidden(
                    f"pages of {text[:200]} must not send this request: CORS_ORIGINS lists the origins that "
                    "may, PUBLIC_URL names the server's own"
                )
        if not origins and not self._permits_site(headers.get("Sec-Fetch-Site"), scope, headers):
            raise Forbidden("pages of other origins must not send this request without an Origin header")

    def _permits(self, text: str, scope: Scope, headers: Headers) -> bool:
        origin = parse_origin(text)
        if (origin or text) in self._allowed:
            return True
        return origin is not None and (origin == self._public or self._is_own(origin, scope, headers))

    def _permits_site(self, site: str | None, scope: Scope, headers: Headers) -> bool:
        """site: where the page is, as the browser says (Fetch Metadata); None or `none` is no page."""
        if site in (None, "none"):
            return True
        own = parse_origin(f"{scope['scheme'].replace('ws', 'http')}://{headers.get('Host', '')}")
        return site == "same-origin" and own is not None and self._permits(str(own), scope, headers)

    def _is_own(self, origin: Origin, scope: Scope, headers: Headers) -> bool:
        host = parse_origin(f"{origin.scheme}://{headers.get('Host', '')}")
        if host != origin:
            return False
        if DIRECT_HOST not in scope:
            return _is_this_machine(origin.host)
        direct = parse_origin(f"{origin.scheme}://{scope[DIRECT_HOST]}")
        # A page can set X-Forwarded-Host for its own host, but the browser then sends that as Host, too.
        return direct is not None and (_is_this_machine(direct.host) or direct.host != origin.host)


def _is_this_machine(host: str) -> bool:
    """Whether the host cannot be a name in an attacker's DNS."""
    if host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower():
        return True
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
