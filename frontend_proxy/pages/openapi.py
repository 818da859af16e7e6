"""`GET /openapi.json`: the REST API in OpenAPI 3.1. Its schemas are those of the models that validate.

The routes themselves are in `app.py`; a test compares the two.
"""

from functools import cached_property
from http import HTTPStatus
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frontend_proxy.answer_schemas import ErrorBody
from frontend_proxy.collection.messages import Collect
from frontend_proxy.pages import openapi_batches as batches
from frontend_proxy.pages import openapi_captures as captures
from frontend_proxy.pages import openapi_collection as collection
from frontend_proxy.pages import openapi_fabrics as fabrics
from frontend_proxy.pages import openapi_fashn as fashn
from frontend_proxy.pages import openapi_server as server
from frontend_proxy.pages import openapi_videos as videos
from frontend_proxy.pages.openapi_operation import Json, content
from frontend_proxy.pages.openapi_schemas import ANSWERS, REQUESTS, schemas, with_forms
from frontend_proxy.request_id import HEADER
from frontend_proxy.schemas import Capture, ScanRequest, Video


def document(keys_required: bool, max_steps: int) -> Json:
    """The whole description. `keys_required`: credentials are needed, because the settings name keys."""
    models = with_forms(schemas(REQUESTS, ANSWERS), Capture, Collect, ScanRequest, Video)
    whole_number, _null = models["Capture"]["properties"]["steps"]["anyOf"]
    whole_number["maximum"] = max_steps
    schemes: list[Json] = [{"bearer": []}, {"key": []}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lucy Serve",
            "version": version("lucy-serve"),
            "summary": "The model server behind the Lucy virtual try-on app",
            "description": "Live keyframes go over a [WebSocket](/docs/websocket). Images in JSON are data "
            "URIs or bare base64. Every error has one shape, and its `code` is stable.",
        },
        "servers": [{"url": "/"}],
        "security": schemes if keys_required else [{}, *schemes],
        "paths": captures.PATHS
        | batches.PATHS
        | fashn.PATHS
        | videos.PATHS
        | collection.PATHS
        | fabrics.PATHS
        | server.PATHS,
        "components": {
            "schemas": models,
            "responses": {str(status): _error(status) for status in _ERRORS} | {"default": _error(None)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a JWT"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


_ERRORS = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 502, 503, 504, 507)
_WITH_RETRY = (409, 429, 503)


def _error(status: int | None) -> Json:
    headers = {
        HEADER: {"schema": {"type": "string"}, "description": "the id of this request in the server's log"}
    }
    if status in _WITH_RETRY:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "seconds"}
    description = "Any other error" if status is None else HTTPStatus(status).phrase
    return {"description": description, "headers": headers, "content": content(ErrorBody)}


class OpenApi:
    """Describes when it is first asked: a start does not wait a fifth of a second for it."""

    def __init__(self, keys_required: bool, max_steps: int) -> None:
        self._arguments = keys_required, max_steps

    @cached_property
    def _document(self) -> Json:
        return document(*self._arguments)

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._document)
