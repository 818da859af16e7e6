"""What both clients do with httpx."""

from typing import Any

import httpx

from lucy_client.calls import Call
from lucy_client.errors import LucyError

TIMEOUT_S = 120.0
POLL_S = 0.5


def headers_of(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def request_of(call: Call[Any]) -> dict[str, Any]:
    """Arguments of httpx's `request` and `stream`."""
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.params),
        "headers": dict(call.headers),
        "json": call.json,
        "data": dict(call.form) if call.form is not None else None,
        "files": {name: (name, data) for name, data in call.files.items()} if call.files else None,
    }


def refusal(response: httpx.Response) -> LucyError:
    """The error of an answer whose body has been read."""
    return LucyError.of_body(response.content, response.status_code, response.headers.get("Retry-After"))


def unreachable(error: httpx.TransportError) -> LucyError:
    return LucyError(f"the server cannot be reached: {error or type(error).__name__}", "UNREACHABLE")


def socket_url(base_url: str) -> str:
    """Of the WebSocket beside the REST API: ws:// for http://, wss:// for https://."""
    return "ws" + base_url.rstrip("/").removeprefix("http") + "/ws"
