"""Answers that a client keeps and asks about: their ETag, by what they are made of."""

import hashlib

from starlette.requests import Request


def kept_headers(*content: object) -> dict[str, str]:
    """Headers of an answer that is made of this content alone: clients keep it, and ask each time."""
    digest = hashlib.sha256(repr(content).encode()).hexdigest()[:32]
    return {"ETag": f'"{digest}"', "Cache-Control": "no-cache"}


def is_kept(request: Request, headers: dict[str, str]) -> bool:
    """Whether the client has the answer with these headers, so that 304 says all."""
    # A list, compared weakly, or `*` (RFC 9110, 13.1.2).
    named = request.headers.get("If-None-Match", "").split(",")
    tags = {tag.strip().removeprefix("W/") for tag in named}
    return headers["ETag"] in tags or "*" in tags
