"""`GET /openapi.json`: the REST API in OpenAPI 3.1, its schemas those of the models that validate.

The routes themselves are in `app.py`; a test compares the two.
"""

from http import HTTPStatus
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catalog import Fabric, FabricDetails
from frontend_proxy.errors import ErrorBody
from frontend_proxy.health import HealthReport, Liveness, Readiness
from frontend_proxy.pages.openapi_operation import (
    FORM,
    JSON,
    REFERENCE,
    Json,
    content,
    file,
    form,
    header,
    in_path,
    operation,
    query,
    reference,
)
from frontend_proxy.request_id import HEADER
from frontend_proxy.schemas import (
    Capture,
    CaptureDeleted,
    CaptureResult,
    CaptureStatus,
    ScanRequest,
    ScanResult,
)


def _leave_out_null(schema: Json) -> None:
    """pydantic calls every computed field required."""
    schema["required"] = [
        *("id", "name", "diffuseUrl", "normalUrl", "roughnessUrl", "thumbnail", "roughness", "metalness")
    ]


class FabricEntry(Fabric):
    """A fabric of the catalog. The URLs are absolute; a field that has no value is left out."""

    model_config = ConfigDict(json_schema_extra=_leave_out_null)


class FabricAnswer(BaseModel):
    success: Literal[True]
    fabric: FabricEntry


class FabricList(BaseModel):
    success: Literal[True]
    fabrics: list[FabricEntry]
    count: int


class FabricDeleted(BaseModel):
    success: Literal[True]
    fabric_id: str


class Index(BaseModel):
    name: str
    status: str
    endpoints: dict[str, str]


REQUESTS = (Capture, ScanRequest, FabricDetails)
ANSWERS = (
    *(
        CaptureResult,
        CaptureStatus,
        CaptureDeleted,
        ScanResult,
        FabricAnswer,
        FabricList,
        FabricDeleted,
        ErrorBody,
    ),
    *(HealthReport, Liveness, Readiness, Index),
)

FABRIC_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "as the catalog lists it",
    "schema": {
        "type": "string",
        "pattern": "^[a-z0-9][a-z0-9-]{0,79}$",
        "not": {"enum": ["catalog", "scan"]},
        "examples": ["denim-blue"],
    },
}


_CAPTURE = operation(
    "try-on",
    "A premium capture",
    CaptureResult,
    parameters=(
        header("Prefer", "`respond-async` (RFC 7240): 202 at once, the result later", enum=["respond-async"]),
        header(
            "Idempotency-Key",
            "the same key and body get the same answer",
            pattern="^[!-~]{1,255}$",
        ),
    ),
    body={JSON: {"schema": reference(Capture)}, FORM: form(Capture, "user_image", "jacket_render")},
    errors=(400, 401, 408, 409, 413, 422, 429, 502, 503, 504, 507),
    answers={
        "200": {
            "description": "The result; with `Accept: text/event-stream` the events `progress` and then "
            "`result` or `error`",
            "content": {**content(CaptureResult), "text/event-stream": {"schema": {"type": "string"}}},
        },
        "202": {
            "description": "Accepted; ask at `Location` what has become of it",
            "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
            "content": content(CaptureStatus),
        },
    },
)
_CAPTURE_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "the `result_id`",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"},
}
_CAPTURE_PATH: Json = {
    "parameters": [_CAPTURE_ID],
    "get": operation("try-on", "What has become of a capture", CaptureStatus, errors=(401, 404, 429, 503)),
    "delete": operation("try-on", "Cancel and forget a capture", CaptureDeleted, errors=(401, 404, 429, 503)),
}

PATHS: Json = {
    "/virtual-tryon": {"post": _CAPTURE | {"operationId": "capture"}},
    "/api/virtual-tryon": {
        "post": _CAPTURE | {"operationId": "captureAlias", "summary": "The same under another path"}
    },
    "/virtual-tryon/{id}": _CAPTURE_PATH,
    "/api/virtual-tryon/{id}": _CAPTURE_PATH,
    "/results/{id}/{name}": {
        "get": file(
            "try-on",
            "A sample of a capture, as `images` names it",
            [_CAPTURE_ID, in_path("name")],
            "image/png",
            "image/jpeg",
        )
    },
    "/api/fabric/scan": {
        "post": operation(
            "fabrics",
            "A photo of a fabric to tileable PBR textures",
            ScanResult,
            body={
                JSON: {"schema": reference(ScanRequest)},
                FORM: form(ScanRequest, "image"),
            },
            errors=(400, 401, 408, 413, 429, 503, 507),
        )
    },
    "/api/fabric/catalog": {
        "get": operation(
            "fabrics",
            "The catalog",
            FabricList,
            parameters=(query("tag", "fabrics with this tag"), query("text", "… and every word of this")),
            errors=(401, 429, 503),
            answers={"304": {"description": "If-None-Match names the list's ETag: nothing has changed"}},
        )
    },
    "/api/fabric/{id}": {
        "parameters": [FABRIC_ID],
        "get": operation("fabrics", "One fabric", FabricAnswer, errors=(401, 404, 429, 503)),
        "put": operation(
            "fabrics",
            "Replace what is said of a fabric; its id and textures stay",
            FabricAnswer,
            body=content(FabricDetails),
            errors=(400, 401, 403, 404, 413, 429, 503, 507),
        ),
        "delete": operation(
            "fabrics", "Delete a saved fabric", FabricDeleted, errors=(401, 403, 404, 429, 503, 507)
        ),
    },
    "/health": {"get": operation("operations", "How much of the server works", HealthReport, public=True)},
    "/health/live": {"get": operation("operations", "Whether the proxy answers", Liveness, public=True)},
    "/health/ready": {
        "get": operation(
            "operations",
            "Whether requests should be sent here",
            Readiness,
            answers={"503": {"description": "Not now, and why", "content": content(Readiness)}},
            public=True,
        )
    },
    "/metrics": {
        "get": {
            "tags": ["operations"],
            "summary": "Figures for Prometheus",
            "responses": {
                "200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "default": {"$ref": "#/components/responses/default"},
            },
        }
    },
    "/textures/{file}": {
        "get": file(
            "fabrics",
            "A texture, under the name that the catalog gives it; cached for good",
            [in_path("file")],
            "image/*",
        )
    },
    "/": {
        "get": operation(
            "operations",
            "What is served here",
            Index,
            answers={"307": {"description": "Who asks for `text/html` goes on to the studio, a page"}},
            public=True,
        )
    },
}


def document(keys_required: bool, max_steps: int) -> Json:
    """`keys_required`: whether the settings name keys; without them nobody needs credentials."""
    models = _with_forms(schemas(REQUESTS, ANSWERS), Capture, ScanRequest)
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
        "paths": PATHS,
        "components": {
            "schemas": models,
            "responses": {str(status): _error(status) for status in _ERRORS} | {"default": _error(None)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a JWT"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def schemas(requests: tuple[type[BaseModel], ...], answers: tuple[type[BaseModel], ...]) -> Json:
    """The JSON Schemas (2020-12) of all models and of those that they hold, by name."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in requests] + [(model, "serialization") for model in answers],
        ref_template=REFERENCE,
    )
    return dict(definitions["$defs"])


def _with_forms(found: Json, *models: type[BaseModel]) -> Json:
    """The same fields as a form has them: an image is a file, what is no text is JSON, and nothing is null,
    but left out."""
    file = {"type": "string", "format": "binary"}
    for model in models:
        schema = found[model.__name__]
        fields = {
            name: file if field.get("format") == "image" else _without_null(field)
            for name, field in schema["properties"].items()
        }
        found[f"{model.__name__}Form"] = {**schema, "properties": fields}
    return found


def _without_null(field: Json) -> Json:
    if "anyOf" not in field:
        return field
    return field | {"anyOf": [kind for kind in field["anyOf"] if kind != {"type": "null"}]}


_ERRORS = (400, 401, 403, 404, 408, 409, 413, 422, 429, 502, 503, 504, 507)
_WITH_RETRY = (409, 429, 503)


def _error(status: int | None) -> Json:
    headers = {HEADER: {"schema": {"type": "string"}, "description": "also in the server's log"}}
    if status in _WITH_RETRY:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "seconds"}
    description = "Any other error" if status is None else HTTPStatus(status).phrase
    return {"description": description, "headers": headers, "content": content(ErrorBody)}


class OpenApi:
    def __init__(self, keys_required: bool, max_steps: int) -> None:
        self._document = document(keys_required, max_steps)

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._document)
