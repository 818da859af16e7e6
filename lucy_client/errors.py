"""The one error that a program has to catch."""

import json
from typing import Any


class LucyError(Exception):
    """The server refused a request, or could not be reached; the message is for people.

    code: stable, for programs, as in the server's docs/api.md; `UNREACHABLE` if there was no answer.
    status: of HTTP; 0 if there was no answer. request_id: finds the request in the server's log.
    retry_after: seconds after which it is worth another try; None: it is not.
    """

    def __init__(
        self,
        message: str,
        code: str,
        status: int = 0,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.status = code, status
        self.request_id, self.retry_after = request_id, retry_after

    @classmethod
    def of(cls, fields: dict[str, Any], status: int, retry_after: float | None = None) -> "LucyError":
        """An error's body, message or event."""
        message = str(fields.get("error") or f"the server answered {status}")
        code = str(fields.get("code") or "HTTP_ERROR")
        return cls(message, code, fields.get("status") or status, fields.get("request_id"), retry_after)

    @classmethod
    def of_body(cls, body: bytes, status: int, retry_after: str | None) -> "LucyError":
        """The body may be a reverse proxy's, and no JSON."""
        try:
            fields = json.loads(body)
        except ValueError:
            fields = {}
        return cls.of(fields if isinstance(fields, dict) else {}, status, seconds(retry_after))


def seconds(retry_after: str | None) -> float | None:
    """Of a Retry-After header; its form with a date is not read."""
    return float(retry_after) if retry_after and retry_after.isdigit() else None
