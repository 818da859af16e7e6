"""The encodings of `/ws` messages: text frames of JSON, or binary frames of MessagePack.

The client chooses one by the WebSocket's subprotocol. MessagePack carries images as bytes: base64 makes them
a third larger, and decoding it would take most of the proxy's time.
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
        """A client's message. Raises InvalidInput if the frame is not one."""
        ...

    def encode(self, message: BaseModel) -> str | bytes:
        """The content of a text frame (str) or a binary frame (bytes)."""
        ...


class Json:
    subprotocol = "lucy.json.v1"  # also the default for clients that name none

    def decode(self, frame: str | bytes) -> dict[str, Any]:
        if isinstance(frame, str):
            return parse_object(frame)
        try:
            return parse_object(frame)  # some clients know no text frames
        except InvalidInput as error:
            raise InvalidInput(
                "send frames of JSON, or connect with the subprotocol "
                f"{MessagePack.subprotocol} and send MessagePack: {error}"
            ) from error

    def encode(self, message: BaseModel) -> str:
        return message.model_dump_json()


class MessagePack:
    """The same messages as in JSON, with images as `bin`."""

    subprotocol = "lucy.msgpack.v1"

    def decode(self, frame: str | bytes) -> dict[str, Any]:
        if isinstance(frame, str):
            raise InvalidInput(f"send binary frames of MessagePack: this is {self.subprotocol}")
        try:
            value = parse_msgpack(frame)
        except ValueError as error:  # the base class of msgpack's own exceptions
            raise InvalidInput(f"not MessagePack: {error or type(error).__name__}") from error
        if not isinstance(value, dict):
            raise InvalidInput(f"a MessagePack map is needed, not {type(value).__name__}")
        return value

    def encode(self, message: BaseModel) -> bytes:
        return bytes(msgpack.packb(dict(message), default=dict))


def choose_codec(subprotocols: list[str]) -> tuple[Codec, str | None]:
    """The codec for the subprotocols that a client offers, and the one to accept: None if none is known."""
    for codec in (MessagePack(), Json()):
        if codec.subprotocol in subprotocols:
            return codec, codec.subprotocol
    return Json(), None
