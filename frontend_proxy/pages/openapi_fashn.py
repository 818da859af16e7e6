"""The OpenAPI description of the endpoint in FASHN's manner."""

from frontend_proxy.fashn.messages import FashnAccepted, FashnRun, FashnStatus
from frontend_proxy.pages.openapi_operation import JSON, Json, operation, query, reference

_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "the `id` of `POST /v1/run`",
    "schema": {"type": "string", "pattern": "^(base64-)?[A-Za-z0-9_-]{22}$"},
}

PATHS: Json = {
    "/v1/run": {
        "post": operation(
            "try-on",
            "A capture in the manner of FASHN's API",
            FashnAccepted,
            parameters=(query("webhook_url", "where the end is reported", 2048),),
            body={JSON: {"schema": reference(FashnRun)}},
            errors=(400, 401, 408, 409, 413, 415, 422, 429, 503, 507),
        )
    },
    "/v1/status/{id}": {
        "parameters": [_ID],
        "get": operation("try-on", "Its state and pictures", FashnStatus, errors=(401, 404, 429, 503)),
    },
}
