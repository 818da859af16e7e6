"""CORS: which pages may read the answers."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from frontend_proxy.errors import Forbidden, error_body
from frontend_proxy.origin import parse_origin


class Cors(CORSMiddleware):
    """Starlette's middleware, with normalised origins, and a refused preflight in the contract's shape."""

    def is_allowed_origin(self, origin: str) -> bool:
        return super().is_allowed_origin(str(parse_origin(origin) or origin))

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return JSONResponse(error_body(Forbidden.code, bytes(response.body).decode()), 400, headers)
