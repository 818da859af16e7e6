"""Who holds the places that the current request takes: captures, batches, films, waiting photos."""

import contextvars
import hashlib

_current: contextvars.ContextVar[str | None] = contextvars.ContextVar("holder", default=None)


def holder_of(caller: str | None, address: str) -> str:
    """The caller as it is stored with what it holds. caller: the id of the credential, or None for a request
    without one, which its address stands for. A digest has a fixed length and does not show either."""
    name = f"caller:{caller}" if caller is not None else f"address:{address}"
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def current_holder() -> str | None:
    """None for the server's own work, and where nobody else can call: nothing has to be shared then."""
    return _current.get()


def set_holder(holder: str | None) -> None:
    """Set it for the current task; tasks that it starts inherit it."""
    _current.set(holder)
