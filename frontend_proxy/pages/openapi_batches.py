"""The OpenAPI description of batches."""

from frontend_proxy.batches.record import BatchDeleted, BatchStatus
from frontend_proxy.batches.request import Batch
from frontend_proxy.batches.routes import JSON_LINES
from frontend_proxy.pages.openapi_operation import (
    FORM,
    JSON,
    Json,
    accepted,
    header,
    operation,
    reference,
    result_id,
)

_BATCH_ID = result_id("the `batch_id`")
_FORM: Json = {
    "type": "object",
    "required": ["captures"],
    "properties": {
        "captures": {
            "type": "string",
            "format": "binary",
            "description": "JSON lines: a `BatchCapture` each",
        },
        "webhook_url": {"type": "string", "maxLength": 2048, "example": ""},
    },
}
_LINES = {JSON_LINES: {"schema": {"type": "string", "description": "JSON lines: a `BatchLine` each"}}}

PATHS: Json = {
    "/api/batches": {
        "post": operation(
            "try-on",
            "Many captures, made while nobody waits",
            BatchStatus,
            parameters=(
                header(
                    "Idempotency-Key",
                    "the same key and body get the same batch",
                    pattern="^[!-~]{1,255}$",
                ),
            ),
            body={
                JSON: {"schema": reference(Batch)},
                JSON_LINES: {"schema": {"type": "string"}},
                FORM: {"schema": _FORM},
            },
            errors=(400, 401, 408, 409, 413, 415, 422, 429, 503, 507),
            answers={"202": accepted(BatchStatus)},
        )
    },
    "/api/batches/{id}": {
        "parameters": [_BATCH_ID],
        "get": operation("try-on", "State of a batch", BatchStatus, errors=(401, 404, 429, 503)),
        "delete": operation(
            "try-on", "Cancel a batch and delete its results", BatchDeleted, errors=(401, 404, 429, 503)
        ),
    },
    "/api/batches/{id}/results": {
        "parameters": [_BATCH_ID],
        "get": operation(
            "try-on",
            "The results of a batch, as far as they are made",
            BatchStatus,
            errors=(401, 404, 429, 503),
            answers={"200": {"description": "JSON lines", "content": _LINES}},
        ),
    },
    "/api/batches/{id}/cancel": {
        "parameters": [_BATCH_ID],
        "post": operation(
            "try-on", "Cancel what is not done of a batch", BatchStatus, errors=(401, 404, 429, 503)
        ),
    },
}
