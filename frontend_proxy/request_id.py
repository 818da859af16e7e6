"""The request id, which is the same in the response, in the logs and in Triton."""

import contextvars
import re
import uuid

HEADER = "X-Request-ID"

_current: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")
_ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def new_request_id(proposed: str | None = None) -> str:
    """The caller's own id if it is short and plain, because logs contain it; otherwise a random one."""
    if proposed and _ACCEPTED.fullmatch(proposed):
        return proposed
    return uuid.uuid4().hex


def current_request_id() -> str:
    return _current.get()


def set_request_id(request_id: str) -> None:
    """Set the id of the request that the current task works on; tasks that it starts inherit the id."""
    _current.set(request_id)
