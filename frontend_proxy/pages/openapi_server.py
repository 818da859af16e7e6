"""The OpenAPI description of the server itself: health, metrics and what it serves."""

from frontend_proxy.health import HealthReport, Liveness, Readiness
from frontend_proxy.pages.openapi_operation import Json, content, operation
from frontend_proxy.pages.openapi_schemas import Index

PATHS: Json = {
    "/health": {"get": operation("operations", "Which parts of the server work", HealthReport, public=True)},
    "/health/live": {"get": operation("operations", "Whether the proxy answers", Liveness, public=True)},
    "/health/ready": {
        "get": operation(
            "operations",
            "Whether requests should be sent here",
            Readiness,
            answers={"503": {"description": "Not ready, and the reason", "content": content(Readiness)}},
            public=True,
        )
    },
    "/metrics": {
        "get": {
            "tags": ["operations"],
            "summary": "Metrics for Prometheus",
            "responses": {
                "200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "default": {"$ref": "#/components/responses/default"},
            },
        }
    },
    "/": {
        "get": operation(
            "operations",
            "Name, status and endpoints of this server",
            Index,
            answers={"307": {"description": "To the studio, for clients that prefer `text/html`"}},
            public=True,
        )
    },
}
