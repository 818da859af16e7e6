"""`GET /openapi.json`: the REST API in OpenAPI 3.1, its schemas those of the models that validate.

The routes themselves are in `app.py`; a test compares the two.
"""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catalog import Fabric, FabricDetails
from frontend_proxy.errors import ErrorBody
from frontend_proxy.health import HealthReport, Liveness, Readiness
from frontend_proxy.request_id import HEADER
from frontend_proxy.schemas import Capture, CaptureResult, ScanRequest, ScanResult

Json = dict[str, Any]

JSON = "application/json"
FORM = "multipart/form-data"
REFERENCE = "#/components/schemas/{model}"


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
    *(CaptureResult, ScanResult, FabricAnswer, FabricList, FabricDeleted, ErrorBody),
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


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _content(model: type[BaseModel]) -> Json:
    return {JSON: {"schema": _reference(model)}}


def _form(model: type[BaseModel], *files: str) -> Json:
    return {
        "schema": {"$ref": REFERENCE.format(model=f"{model.__name__}Form")},
        "encoding": {name: {"contentType": "image/*"} for name in files},
    }


def _query(name: str, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _operation(
    tag: str,
    summary: str,
    answer: type[BaseModel],
    *,
    parameters: tuple[Json, ...] = (),
    body: Json | None = None,
    errors: tuple[int, ...] = (),
    answers: Json | None = None,
    public: bool = False,
) -> Json:
    """`errors`: the statuses that this operation in particular may end in, with an `ErrorBody`."""
    responses = {"200": {"description": "OK", "content": _content(answer)}}
    for status in errors:
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    operation: Json = {
        "tags": [tag],
        "summary": summary,
        "responses": responses | (answers or {}) | {"default": {"$ref": "#/components/responses/default"}},
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    if public:
        operation["security"] = []
    return operation


_CAPTURE = _operation(
    "try-on",
    "A premium capture",
    CaptureResult,
    body=_content(Capture),
    errors=(400, 401, 408, 413, 429, 502, 503, 504),
)

PATHS: Json = {
    "/virtual-tryon": {"post": _CAPTURE | {"operationId": "capture"}},
    "/api/virtual-tryon": {
        "post": _CAPTURE | {"operationId": "captureAlias", "summary": "The same under another path"}
    },
    "/api/fabric/scan": {
        "post": _operation(
            "fabrics",
            "A photo of a fabric to tileable PBR textures",
            ScanResult,
            body={
                JSON: {"schema": _reference(ScanRequest)},
                FORM: _form(ScanRequest, "image"),
            },
            errors=(400, 401, 408, 413, 429, 507),
        )
    },
    "/api/fabric/catalog": {
        "get": _operation(
            "fabrics",
            "The catalog",
            FabricList,
            parameters=(_query("tag", "fabrics with this tag"), _query("text", "… and every word of this")),
            errors=(401, 429),
            answers={"304": {"description": "If-None-Match names the list's ETag: nothing has changed"}},
        )
    },
    "/api/fabric/{id}": {
        "parameters": [FABRIC_ID],
        "get": _operation("fabrics", "One fabric", FabricAnswer, errors=(401, 404, 429)),
        "put": _operation(
            "fabrics",
            "Replace what is said of a fabric; its id and textures stay",
            FabricAnswer,
            body=_content(FabricDetails),
            errors=(400, 401, 403, 404, 413, 429, 507),
        ),
        "delete": _operation(
            "fabrics", "Delete a saved fabric", FabricDeleted, errors=(401, 403, 404, 429, 507)
        ),
    },
    "/health": {"get": _operation("operations", "How much of the server works", HealthReport, public=True)},
    "/health/live": {"get": _operation("operations", "Whether the proxy answers", Liveness, public=True)},
    "/health/ready": {
        "get": _operation(
            "operations",
            "Whether requests should be sent here",
            Readiness,
            answers={"503": {"description": "Not now, and why", "content": _content(Readiness)}},
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
        "get": {
            "tags": ["fabrics"],
            "summary": "A texture, under the name that the catalog gives it; cached for good",
            "security": [],
            "parameters": [
                {"name": "file", "in": "path", "required": True, "schema": {"type": "string"}},
            ],
            "responses": {
                "200": {"description": "OK", "content": {"image/*": {}}},
                "404": {"$ref": "#/components/responses/404"},
                "default": {"$ref": "#/components/responses/default"},
            },
        }
    },
    "/": {
        "get": _operation(
            "operations",
            "What is served here",
            Index,
            answers={
                "200": {
                    "description": "JSON, or a page for who asks for one",
                    "content": {**_content(Index), "text/html": {"schema": {"type": "string"}}},
                }
            },
            public=True,
        )
    },
}


def document(keys_required: bool, max_steps: int) -> Json:
    """`keys_required`: whether the settings name keys; without them nobody needs credentials."""
    models = _with_forms(schemas(REQUESTS, ANSWERS), ScanRequest)
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
    """The same fields as a form has them: an image is a file, and what is no text is JSON."""
    file = {"type": "string", "format": "binary"}
    for model in models:
        schema = found[model.__name__]
        fields = {
            name: file if field.get("format") == "image" else field
            for name, field in schema["properties"].items()
        }
        found[f"{model.__name__}Form"] = {**schema, "properties": fields}
    return found


_ERRORS = (400, 401, 403, 404, 408, 413, 429, 502, 503, 504, 507)
_WITH_RETRY = (429, 503)


def _error(status: int | None) -> Json:
    headers = {HEADER: {"schema": {"type": "string"}, "description": "also in the server's log"}}
    if status in _WITH_RETRY:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "seconds"}
    description = "Any other error" if status is None else HTTPStatus(status).phrase
    return {"description": description, "headers": headers, "content": _content(ErrorBody)}


class OpenApi:
    def __init__(self, keys_required: bool, max_steps: int) -> None:
        self._document = document(keys_required, max_steps)

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._document)
