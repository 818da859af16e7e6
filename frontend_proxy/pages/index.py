"""`GET /`: the endpoints as JSON for programs; browsers are redirected to the studio."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

NAME = "Lucy Serve"
ENDPOINTS = {
    "health": "GET /health",
    "catalog": "GET /api/fabric/catalog",
    "scan": "POST /api/fabric/scan",
    "tryon": "POST /virtual-tryon",
    "websocket": "/ws",
    "studio": "GET /studio",
    "docs": "GET /docs",
    "websocket_docs": "GET /docs/websocket",
}
VARY = {"Vary": "Accept"}


async def index(request: Request) -> Response:
    if prefers_html(request.headers.get("Accept", "")):
        return RedirectResponse("/studio", headers=VARY)
    return JSONResponse({"name": NAME, "status": "running", "endpoints": ENDPOINTS}, headers=VARY)


def prefers_html(accept: str) -> bool:
    """Whether `Accept` names `text/html` with a weight not below that of JSON (RFC 9110, section 12.5.1)."""
    weights = {}
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        given = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
        try:
            weights[media_type] = float(given[0]) if given else 1.0
        except ValueError:
            weights[media_type] = 0.0
    html = weights.get("text/html", 0.0)
    return html > 0 and html >= weights.get("application/json", 0.0)
