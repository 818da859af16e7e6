"""Who sent a request: the owner of the captures that it creates, and the client that its keys belong to."""

import hashlib

from starlette.requests import Request

from frontend_proxy.security.auth import caller_of


def owner_of(request: Request) -> str | None:
    """The digest of the API key's or the token's client name; None for an anonymous request.

    A digest has a fixed length and does not show a token's subject.
    """
    name = caller_of(request.scope)
    return None if name is None else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def client_of(request: Request) -> str:
    """The client's name, or for an anonymous request its address: clients must not meet each other's keys."""
    name = caller_of(request.scope)
    if name is not None:
        return name
    return f"address:{request.client.host if request.client else ''}"
