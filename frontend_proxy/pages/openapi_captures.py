"""The OpenAPI description of captures."""

from frontend_proxy.answer_schemas import CaptureDeleted, CaptureLight, CaptureResult, CaptureStatus
from frontend_proxy.pages.openapi_operation import (
    FORM,
    JSON,
    Json,
    accepted,
    file,
    form,
    header,
    in_path,
    operation,
    reference,
    result_id,
)
from frontend_proxy.schemas import Capture

_IMAGES = ("user_image", "jacket_render", "garment_image", "mask")
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
    body={
        JSON: {"schema": reference(Capture)},
        FORM: form(Capture, images=_IMAGES, lists=("garments",)),
    },
    errors=(400, 401, 408, 409, 413, 415, 422, 429, 502, 503, 504, 507),
    answers={
        "200": {
            "description": "The result; with `Accept: text/event-stream` the events `progress` and then "
            "`result` or `error`",
            "content": {
                JSON: {"schema": {"oneOf": [reference(CaptureResult), reference(CaptureLight)]}},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        },
        "202": accepted(CaptureStatus),
    },
)
_CAPTURE_ID = result_id("the `result_id`")
_CAPTURE_PATH: Json = {
    "parameters": [_CAPTURE_ID],
    "get": operation("try-on", "State and result of a capture", CaptureStatus, errors=(401, 404, 429, 503)),
    "delete": operation("try-on", "Cancel and delete a capture", CaptureDeleted, errors=(401, 404, 429, 503)),
}

PATHS: Json = {
    "/virtual-tryon": {"post": _CAPTURE | {"operationId": "capture"}},
    "/api/virtual-tryon": {
        "post": _CAPTURE | {"operationId": "captureAlias", "summary": "An alias of `POST /virtual-tryon`"}
    },
    "/virtual-tryon/{id}": _CAPTURE_PATH,
    "/api/virtual-tryon/{id}": _CAPTURE_PATH,
    "/results/{id}/{name}": {
        "get": file(
            "try-on",
            "One image of a capture, by the name in its `images`",
            [_CAPTURE_ID, in_path("name")],
            "image/png",
            "image/jpeg",
            "image/webp",
        )
    },
}
