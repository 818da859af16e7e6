"""Where a request carries its credential: headers, and for a WebSocket also the subprotocol or the query."""

from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.types import Scope

SUBPROTOCOL = "lucy.auth."  # followed by the credential, beside the subprotocol that the client wants
QUERY = "token"


def take_credential(scope: Scope) -> str | None:
    """The credential of a request or of a WebSocket's handshake (where browsers cannot set headers).

    Removes it from the scope's query and subprotocols, so that neither uvicorn's log nor the answer's
    `Sec-WebSocket-Protocol` repeats it.
    """
    headers = Headers(scope=scope)
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    found = (bearer.strip() if scheme.lower() == "bearer" else None) or headers.get("X-API-Key")
    if scope["type"] != "websocket":
        return found
    offered = scope.get("subprotocols", [])
    scope["subprotocols"] = [name for name in offered if not name.startswith(SUBPROTOCOL)]
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in query if name != QUERY]
    scope["query_string"] = urlencode(kept).encode("latin-1")
    in_subprotocol = (name.removeprefix(SUBPROTOCOL) for name in offered if name.startswith(SUBPROTOCOL))
    return found or next(in_subprotocol, None) or dict(query).get(QUERY)
