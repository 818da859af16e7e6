"""`GET /asyncapi.json`: the WebSocket in AsyncAPI 3, with the schemas of the models that validate."""

from functools import cached_property
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frontend_proxy.answer_schemas import ErrorMessage, KeyframeLight, KeyframeResult
from frontend_proxy.keyframes.codec import Json, MessagePack
from frontend_proxy.pages.openapi_operation import REFERENCE
from frontend_proxy.pages.openapi_schemas import schemas
from frontend_proxy.schemas import Keyframe
from frontend_proxy.security.auth import QUERY, SUBPROTOCOL

_DESCRIPTION = f"""\
Send a keyframe every 1.5 to 2 seconds, without waiting for an answer. While one keyframe is being answered,
only the newest of the next ones is kept; answers arrive in order. When the model cannot answer in time, the
answer is the plain composite with `mode: "fallback"`. The socket stays open after an error.

A keyframe with `answer: "light"` is answered with the light alone, which a client that draws frame and jacket
itself lays on them: 2 KB instead of a picture, and no old picture of the person.

Subprotocols: `{Json.subprotocol}` (or none) is text frames of JSON, images as data URIs or base64.
`{MessagePack.subprotocol}` is binary frames of [MessagePack](https://msgpack.org) with the same fields,
images as raw bytes: a quarter fewer bytes to send.

Where the server asks for credentials, offer the subprotocol `{SUBPROTOCOL}` followed by the API key or JWT
beside one of those, or add `?{QUERY}=…` to the URL. The server refuses the upgrade with 401, 403 (the page's
origin is not allowed) or 429. It closes with 1012 when it restarts: connect again. It closes with 1013 when
too many bytes of messages are in flight: wait a moment, then connect again.
"""


def document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lucy Serve", "version": version("lucy-serve"), "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "keyframes": {
                "address": "/ws",
                "title": "Live keyframes",
                "messages": {
                    "keyframe": _message(Keyframe, "A keyframe"),
                    "keyframe_result": _message(KeyframeResult, "Its answer"),
                    "keyframe_light": _message(KeyframeLight, 'Its answer, if it asked for `"light"`'),
                    "error": _message(ErrorMessage, "An error; the socket stays open"),
                },
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "sendKeyframe": _operation("receive", "The client sends", "keyframe"),
            "getAnswer": _operation(
                "send", "The server answers", "keyframe_result", "keyframe_light", "error"
            ),
        },
        "components": {"schemas": schemas((Keyframe,), (KeyframeResult, KeyframeLight, ErrorMessage))},
    }


def _message(model: type[BaseModel], title: str) -> dict[str, Any]:
    return {"title": title, "payload": {"$ref": REFERENCE.format(model=model.__name__)}}


def _operation(action: str, summary: str, *messages: str) -> dict[str, Any]:
    """`action`: what the server does, `send` or `receive`."""
    channel = "#/channels/keyframes"
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{message}"} for message in messages],
    }


class AsyncApi:
    """Describes when it is first asked, as `openapi.OpenApi`."""

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document()

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._document)
