"""How messages travel on `/ws`: text frames of JSON, or binary frames of MessagePack.

The client chooses by the WebSocket's subprotocol. MessagePack carries images as they are: base64 takes a
third more bytes, and its decoding most of the proxy's time.
"""

from typing import Any, Protocol

import msgpack
from pydantic import BaseModel

from frontend_proxy.errors import InvalidInput
from frontend_proxy.parsing import parse_msgpack
from frontend_proxy.schemas import parse_object


class Codec(Protocol):
    subprotocol: str

    def decode(self, frame: str | bytes) -> dict[str, Any]:
        """A client's message. Raises InvalidInput for what is none."""
        ...

    def encode(self, message: BaseModel) -> str | bytes:
        """str travels as a text frame, bytes as a binary one."""
        ...


class Json:
    subprotocol = "lucy.json.v1"  # the same as naming none

    def decode(self, frame: str | bytes) -> dict[str, Any]:
        if isinstance(frame, bytes):
            raise InvalidInput(
                "send text frames of JSON, or connect with the subprotocol "
                f"{MessagePack.subprotocol} and send binary ones"
            )
        return parse_object(frame)

    def encode(self, message: BaseModel) -> str:
        return message.model_dump_json()


class MessagePack:
    """The messages are JSON's, images are `bin`."""

    subprotocol = "lucy.msgpack.v1"

    def decode(self, frame: str | bytes) -> dict[str, Any]:
        if isinstance(frame, str):
            raise InvalidInput(f"send binary frames of MessagePack: this is {self.subprotocol}")
        try:
            value = parse_msgpack(frame)
        except ValueError as error:  # msgpack's own exceptions are ValueErrors, too
            raise InvalidInput(f"not MessagePack: {error or type(error).__name__}") from error
        if not isinstance(value, dict):
            raise InvalidInput(f"a MessagePack map is needed, not {type(value).__name__}")
        return value

    def encode(self, message: BaseModel) -> bytes:
        return bytes(msgpack.packb(dict(message)))


def chosen(subprotocols: list[str]) -> tuple[Codec, str | None]:
    """The codec for the subprotocols that a client offers, and the one to accept: None where none is ours."""
    for codec in (MessagePack(), Json()):
        if codec.subprotocol in subprotocols:
            return codec, codec.subprotocol
    return Json(), None
