"""What can go wrong, as the client sees it: one table of codes, and the door where errors become JSON.

Inside the proxy only `ProxyError` and its kinds are raised; `triton.py` and `fabrics.py` translate what
comes from outside, each in one place. Tracebacks go to the logs, never to a client.
"""

import logging
from typing import Any, Literal, Protocol

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frontend_proxy.request_id import current_request_id

logger = logging.getLogger(__name__)


class Failure(Protocol):
    """An error as it is kept, `schemas.CaptureFailure`."""

    error: str
    code: str
    status: int
    retry_after: int | None


class ProxyError(Exception):
    """An error for the client: `code` is stable and for programs, the message is for people.

    `retry_after`, in seconds, says when trying again makes sense; None when it does not.
    """

    code = "INTERNAL"
    status = 500
    retry_after: int | None = None

    @classmethod
    def of(cls, failure: "Failure") -> "ProxyError":
        """One that happened elsewhere, or before."""
        error = cls(failure.error)
        error.code, error.status, error.retry_after = failure.code, failure.status, failure.retry_after
        return error

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class InvalidInput(ProxyError):
    """The body or a field is not as the contract says."""

    code, status = "INVALID_INPUT", 400


class UndecodableImage(ProxyError):
    """The bytes are no image of a kind that is accepted."""

    code, status = "IMAGE_DECODE", 400


class ImageTooLarge(ProxyError):
    """An image with more bytes or pixels than is accepted (a decompression bomb looks like this)."""

    code, status = "IMAGE_DECODE", 413


class Unauthorized(ProxyError):
    """No credentials, or none that hold."""

    code, status = "UNAUTHORIZED", 401

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}  # RFC 6750, section 3


class Forbidden(ProxyError):
    """Whoever asks is known, and may not."""

    code, status = "FORBIDDEN", 403


class NotFound(ProxyError):
    """There is no fabric or capture of this id."""

    code, status = "NOT_FOUND", 404


class Conflict(ProxyError):
    """The same request is being answered already."""

    code, status, retry_after = "CONFLICT", 409, 1


class KeyReused(ProxyError):
    """An Idempotency-Key that belongs to another request."""

    code, status = "IDEMPOTENCY_KEY_REUSED", 422


class Interrupted(ProxyError):
    """The server ended before the capture did."""

    code, status, retry_after = "INTERRUPTED", 503, 1


class ReadOnly(ProxyError):
    """A fabric that comes with the server cannot be changed."""

    code, status = "READ_ONLY", 403


class InsufficientStorage(ProxyError):
    """The disk is full or read-only, or as many fabrics are saved as may be (RFC 4918, section 11.5)."""

    code, status = "INSUFFICIENT_STORAGE", 507


class StorageUnavailable(ProxyError):
    """Redis or the object store is away; nothing that was accepted is lost."""

    code, status, retry_after = "STORAGE_UNAVAILABLE", 503, 2


class BodyTooLarge(ProxyError):
    """A request body over the limit."""

    code, status = "OVERLOADED", 413


class RequestTooSlow(ProxyError):
    """A body that does not arrive in the time it has."""

    code, status = "TIMEOUT", 408


class TooManyRequests(ProxyError):
    """More requests than one client may send; it may go on in `retry_after` seconds."""

    code, status = "OVERLOADED", 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(ProxyError):
    """As much is in flight as is allowed."""

    code, status, retry_after = "OVERLOADED", 429, 2


class ModelUnavailable(ProxyError):
    """Triton is away, or the model is not loaded (yet)."""

    code, status, retry_after = "MODEL_UNAVAILABLE", 503, 5


class InferenceFailed(ProxyError):
    """The pipeline failed on this job."""

    code, status = "INFERENCE_FAILED", 502


class DeadlineExceeded(ProxyError):
    """The answer would have come too late."""

    code, status = "TIMEOUT", 504


class ErrorBody(BaseModel):
    """The JSON body of every error.

    One client shows `error`, another `detail`: both hold the whole sentence.
    """

    success: Literal[False]
    error: str
    detail: str
    code: str
    request_id: str


_HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def error_body(code: str, message: str) -> dict[str, Any]:
    """An `ErrorBody`."""
    return {
        "success": False,
        "error": message,
        "detail": message,
        "code": code,
        "request_id": current_request_id(),
    }


def error_response(error: ProxyError) -> Response:
    return JSONResponse(error_body(error.code, str(error)), error.status, error.headers)


def internal_error(error: Exception) -> ProxyError:
    """What a client is told of an error that nobody foresaw; the log gets the traceback."""
    logger.error("unforeseen error", exc_info=error)
    return ProxyError("The server failed on this request; its log has the reason under the request id")


def log_error(error: ProxyError) -> None:
    """The client's faults are no warnings."""
    logger.log(logging.WARNING if error.status >= 500 else logging.INFO, "%s: %s", error.code, error)


async def on_proxy_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProxyError)
    log_error(error)
    return error_response(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own errors (no such route, wrong method) in the contract's shape."""
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path}"
    code = _HTTP_CODES.get(error.status_code, "INVALID_INPUT" if error.status_code < 500 else "INTERNAL")
    return JSONResponse(error_body(code, message), error.status_code, error.headers)


EXCEPTION_HANDLERS = {ProxyError: on_proxy_error, HTTPException: on_http_exception}
