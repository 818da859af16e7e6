"""The OpenAPI description of collecting."""

from frontend_proxy.collection.messages import Collect, Collected, Uncollected
from frontend_proxy.pages.openapi_operation import (
    FORM,
    JSON,
    Json,
    content,
    form,
    operation,
    reference,
    result_id,
)

_FILES = ("user_image", "jacket_render", "garment_image", "mask", "photo")

PATHS: Json = {
    "/api/collect": {
        "post": operation(
            "try-on",
            "Store a row for fine-tuning, with consent",
            Collected,
            body={FORM: form(Collect, images=_FILES), JSON: {"schema": reference(Collect)}},
            errors=(400, 401, 403, 404, 408, 413, 415, 429, 503, 504, 507),
            answers={"201": {"description": "Stored", "content": content(Collected)}},
        )
    },
    "/api/collect/{id}": {
        "parameters": [result_id("the `row_id`")],
        "delete": operation("try-on", "Delete a row", Uncollected, errors=(401, 403, 404, 429)),
    },
}
