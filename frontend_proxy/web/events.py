"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import AsyncIterator, Callable

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_S = 15.0  # reverse proxies close a connection that is idle for a minute
KEEP_ALIVE = b":\n\n"  # a comment, which clients ignore


def wants_events(request: Request) -> bool:
    """Whether `Accept` names server-sent events; `*/*` does not."""
    accepted = request.headers.get("Accept", "").lower().split(",")
    return any(entry.partition(";")[0].strip() == MEDIA_TYPE for entry in accepted)


def encode(event: str, data: BaseModel) -> bytes:
    """One event. The JSON of a model has no line breaks."""
    return f"event: {event}\ndata: {data.model_dump_json()}\n\n".encode()


class EventStream(StreamingResponse):
    """Sends `events` as they come, and calls `close` at the end, also when the client disconnects."""

    media_type = MEDIA_TYPE

    def __init__(self, events: AsyncIterator[bytes], close: Callable[[], object]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would buffer events
        super().__init__(events, headers=headers)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()
