"""Errors as HTTP answers: the one place where an error becomes JSON."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frontend_proxy.errors import ProxyError, error_body, to_proxy_error


class HTTPError(ProxyError):
    """An error of Starlette itself, such as a path or a method that does not exist."""

    def __init__(self, message: str, code: str, status: int, headers: Mapping[str, str] | None) -> None:
        super().__init__(message)
        self.code, self.status = code, status
        self._headers = dict(headers or {})

    @property
    def headers(self) -> dict[str, str]:
        return self._headers


_HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def error_response(error: Exception) -> Response:
    """The HTTP answer for any error, which is logged."""
    known = to_proxy_error(error)
    return JSONResponse(error_body(known.code, str(known)), known.status, known.headers)


async def raise_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for its own errors: raises them as HTTPError, so that `ErrorMiddleware` answers."""
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "INVALID_INPUT" if error.status_code < 500 else "INTERNAL")
    message = f"{error.detail}: {request.method} {request.url.path}"
    if allowed := (error.headers or {}).get("Allow"):
        message = f"{request.method} is not possible at {request.url.path}; send {allowed}"
    raise HTTPError(message, code, error.status_code, error.headers) from error


EXCEPTION_HANDLERS = {HTTPException: raise_http_error}
