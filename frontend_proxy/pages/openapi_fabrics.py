"""The OpenAPI description of fabrics: the catalog, its textures, scans."""

from catalog import FabricDetails
from catalog.schema import MAX_TAG
from catalog.search import MAX_WORD, MAX_WORDS
from fabric.packs import FORMATS
from frontend_proxy.answer_schemas import ScanResult
from frontend_proxy.fabrics.packs import DEFAULT_FORMAT
from frontend_proxy.pages.openapi_operation import (
    FORM,
    JSON,
    Json,
    content,
    file,
    form,
    in_path,
    operation,
    query,
    reference,
)
from frontend_proxy.pages.openapi_schemas import FabricAnswer, FabricDeleted, FabricList
from frontend_proxy.schemas import ScanRequest

FABRIC_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "an `id` of the catalog",
    "schema": {
        "type": "string",
        "pattern": "^[a-z0-9][a-z0-9-]{0,79}$",
        "not": {"enum": ["catalog", "scan"]},
        "examples": ["denim-blue"],
    },
}


def errors(status: int | str) -> Json:
    return {"$ref": f"#/components/responses/{status}"}


PATHS: Json = {
    "/api/fabric/scan": {
        "post": operation(
            "fabrics",
            "Turn a photo of a fabric into tileable PBR textures",
            ScanResult,
            body={
                JSON: {"schema": reference(ScanRequest)},
                FORM: form(ScanRequest, images=("image", "image_flash"), lists=("corners", "white_point")),
            },
            errors=(400, 401, 408, 413, 415, 429, 503, 504, 507),
        )
    },
    "/api/fabric/catalog": {
        "get": operation(
            "fabrics",
            "The catalog",
            FabricList,
            parameters=(
                query("tag", "fabrics with this tag", MAX_TAG),
                query("text", f"and that contain every word of this, at most {MAX_WORDS}", MAX_WORD),
            ),
            errors=(400, 401, 429, 503),
            answers={"304": {"description": "Not changed: the list still has the ETag of If-None-Match"}},
        )
    },
    "/api/fabric/{id}": {
        "parameters": [FABRIC_ID],
        "get": operation("fabrics", "One fabric", FabricAnswer, errors=(401, 404, 429, 503)),
        "put": operation(
            "fabrics",
            "Replace the details of a fabric; its id and textures stay",
            FabricAnswer,
            body=content(FabricDetails),
            errors=(400, 401, 403, 404, 413, 415, 429, 503, 507),
        ),
        "delete": operation(
            "fabrics", "Delete a saved fabric", FabricDeleted, errors=(401, 403, 404, 429, 503, 507)
        ),
    },
    "/api/fabric/{id}/pack": {
        "parameters": [FABRIC_ID],
        "get": {
            "tags": ["fabrics"],
            "summary": "A fabric as one file for other programs",
            "parameters": [
                {
                    "name": "format",
                    "in": "query",
                    "description": "; ".join(f"`{name}`: {it.about}" for name, it in FORMATS.items()),
                    "schema": {"type": "string", "enum": list(FORMATS), "default": DEFAULT_FORMAT},
                }
            ],
            "responses": {
                "200": {
                    "description": "OK",
                    "headers": {"ETag": {"schema": {"type": "string"}}},
                    "content": {it.media_type: {} for it in FORMATS.values()},
                },
                "304": {"description": "Not changed: the pack still has the ETag of If-None-Match"},
                **{str(status): errors(status) for status in (400, 401, 404, 429, 503, 504)},
                "default": errors("default"),
            },
        },
    },
    "/textures/{file}": {
        "get": file(
            "fabrics",
            "A texture, by its name in the catalog; it may be cached for ever",
            [in_path("file")],
            "image/*",
        )
    },
}
