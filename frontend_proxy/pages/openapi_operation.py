"""Parts of an OpenAPI description: operations with their parameters and bodies."""

from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]

JSON = "application/json"
FORM = "multipart/form-data"
REFERENCE = "#/components/schemas/{model}"


def reference(model: type[BaseModel]) -> Json:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def content(model: type[BaseModel]) -> Json:
    return {JSON: {"schema": reference(model)}}


def form(model: type[BaseModel], *, images: tuple[str, ...] = (), lists: tuple[str, ...] = ()) -> Json:
    """`lists` are one part of JSON each, which OpenAPI says of objects only, unless it is told.

    https://spec.openapis.org/oas/v3.1.0#encoding-object
    """
    types = dict.fromkeys(images, "image/*") | dict.fromkeys(lists, JSON)
    return {
        "schema": {"$ref": REFERENCE.format(model=f"{model.__name__}Form")},
        "encoding": {name: {"contentType": media_type} for name, media_type in types.items()},
    }


def query(name: str, description: str, max_length: int) -> Json:
    schema = {"type": "string", "maxLength": max_length}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def operation(
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
    """`errors`: statuses with an `ErrorBody` that are particular to this operation."""
    responses = {"200": {"description": "OK", "content": content(answer)}}
    for status in errors:
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    described: Json = {
        "tags": [tag],
        "summary": summary,
        "responses": responses | (answers or {}) | {"default": {"$ref": "#/components/responses/default"}},
    }
    if parameters:
        described["parameters"] = list(parameters)
    if body is not None:
        described["requestBody"] = {"required": True, "content": body}
    if public:
        described["security"] = []
    return described


def file(tag: str, summary: str, parameters: list[Json], *media_types: str) -> Json:
    """A picture by its name, without credentials."""
    return {
        "tags": [tag],
        "summary": summary,
        "security": [],
        "parameters": parameters,
        "responses": {
            "200": {"description": "OK", "content": {media_type: {} for media_type in media_types}},
            "404": {"$ref": "#/components/responses/404"},
            "default": {"$ref": "#/components/responses/default"},
        },
    }


def accepted(status: type[BaseModel]) -> Json:
    """The 202 of work that goes on after the answer."""
    return {
        "description": "Accepted; `Location` is where to ask for its state",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        "content": content(status),
    }


def result_id(description: str) -> Json:
    """The id in the path of a capture or a film."""
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"}
    return {"name": "id", "in": "path", "required": True, "description": description, "schema": schema}


def in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def header(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}
