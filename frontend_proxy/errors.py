"""The errors that clients see: a class for each code, and the fields that an error has in JSON.

The proxy raises only `ProxyError` and its subclasses; `triton.client` and `fabrics.catalog_routes` translate
the errors of Triton and of the catalog. Tracebacks go to the log, never to a client. The worker processes
raise them, too, and need no web framework: `error_answers` makes HTTP answers of them.
"""

import logging
from typing import Any, Protocol

from frontend_proxy.request_id import current_request_id

logger = logging.getLogger(__name__)


class Failure(Protocol):
    """A stored error, `schemas.CaptureFailure`."""

    error: str
    code: str
    status: int
    retry_after: int | None


class ProxyError(Exception):
    """An error for the client: `code` is stable and for programs, the message is for people.

    retry_after: seconds after which the client may try again; None if trying again is useless.
    """

    code = "INTERNAL"
    status = 500
    retry_after: int | None = None

    @classmethod
    def of(cls, failure: "Failure") -> "ProxyError":
        """The error that was stored."""
        error = cls(failure.error)
        error.code, error.status, error.retry_after = failure.code, failure.status, failure.retry_after
        return error

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class InvalidInput(ProxyError):
    """The body or a field breaks the contract."""

    code, status = "INVALID_INPUT", 400


class UndecodableImage(ProxyError):
    """The bytes are not an image in an accepted format."""

    code, status = "IMAGE_DECODE", 400


class ImageTooLarge(ProxyError):
    """An image with more bytes or pixels than are accepted, such as a decompression bomb."""

    code, status = "IMAGE_DECODE", 413


class Unauthorized(ProxyError):
    """The credentials are missing or not valid."""

    code, status = "UNAUTHORIZED", 401

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}  # RFC 6750, section 3


class Forbidden(ProxyError):
    """The caller, or the page that sends the request, is not allowed to."""

    code, status = "FORBIDDEN", 403


class NotFound(ProxyError):
    """No fabric or capture has this id."""

    code, status = "NOT_FOUND", 404


class Conflict(ProxyError):
    """The same request is in progress already."""

    code, status, retry_after = "CONFLICT", 409, 1


class KeyReused(ProxyError):
    """The Idempotency-Key belongs to another request."""

    code, status = "IDEMPOTENCY_KEY_REUSED", 422


class Interrupted(ProxyError):
    """The server ended before the capture did."""

    code, status, retry_after = "INTERRUPTED", 503, 1


class ReadOnly(ProxyError):
    """Fabrics that come with the server cannot be changed."""

    code, status = "READ_ONLY", 403


class InsufficientStorage(ProxyError):
    """The disk is full or read-only, or the limit of saved fabrics is reached (RFC 4918, section 11.5)."""

    code, status = "INSUFFICIENT_STORAGE", 507


class StorageUnavailable(ProxyError):
    """Redis or the object store does not answer. Accepted captures are not lost."""

    code, status, retry_after = "STORAGE_UNAVAILABLE", 503, 2


class BodyTooLarge(ProxyError):
    """A request body over the limit."""

    code, status = "OVERLOADED", 413


class UnsupportedMediaType(ProxyError):
    """A body of a type, or in a compression, that this path does not take."""

    code, status = "UNSUPPORTED_MEDIA_TYPE", 415


class UpgradeRequired(ProxyError):
    """A plain request for the path of a WebSocket."""

    code, status = "UPGRADE_REQUIRED", 426

    @property
    def headers(self) -> dict[str, str]:
        return {"Upgrade": "websocket", "Connection": "Upgrade"}  # RFC 9110, section 15.5.22


class RequestTooSlow(ProxyError):
    """The body did not arrive in time."""

    code, status = "TIMEOUT", 408


class TooManyRequests(ProxyError):
    """The client has sent more requests than allowed; it may continue in `retry_after` seconds."""

    code, status = "OVERLOADED", 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(ProxyError):
    """The number of requests in flight is at its limit."""

    code, status, retry_after = "OVERLOADED", 429, 2


class ModelUnavailable(ProxyError):
    """Triton does not answer, or the model is not loaded."""

    code, status, retry_after = "MODEL_UNAVAILABLE", 503, 5


class InferenceFailed(ProxyError):
    """The pipeline failed on this job."""

    code, status = "INFERENCE_FAILED", 502


class DeadlineExceeded(ProxyError):
    """The answer did not come in time."""

    code, status = "TIMEOUT", 504


def error_fields(code: str, message: str) -> dict[str, Any]:
    """The fields that every error has, in an HTTP body and in a WebSocket message."""
    return {"error": message, "detail": message, "code": code, "request_id": current_request_id()}


def error_body(code: str, message: str) -> dict[str, Any]:
    """An `ErrorBody`."""
    return {"success": False, **error_fields(code, message)}


def to_proxy_error(error: Exception) -> ProxyError:
    """The error that the client is told. The log gets the error, with the traceback of an unexpected one."""
    if not isinstance(error, ProxyError):
        return internal_error(error)
    log_error(error)
    return error


def internal_error(error: Exception) -> ProxyError:
    """The error that a client is told instead of an unexpected one, whose traceback is logged."""
    logger.error("unexpected error", exc_info=error)
    return ProxyError("The server failed on this request; its log has the reason under the request id")


def log_error(error: ProxyError) -> None:
    """Errors that the client has caused are logged at info."""
    logger.log(logging.WARNING if error.status >= 500 else logging.INFO, "%s: %s", error.code, error)
