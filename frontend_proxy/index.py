"""`GET /`: what is served here, as JSON for programs and as a page for browsers."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

NAME = "Lucy Serve"
ENDPOINTS = {
    "health": "GET /health",
    "catalog": "GET /api/fabric/catalog",
    "scan": "POST /api/fabric/scan",
    "tryon": "POST /virtual-tryon",
    "websocket": "/ws",
    "docs": "GET /docs",
    "websocket_docs": "GET /docs/websocket",
}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem }}</style>
<h1>{name}</h1>
<p>The server of the Lucy virtual try-on app is running.</p>
<ul>
{items}
</ul>
</html>
"""


async def index(request: Request) -> Response:
    if "text/html" in request.headers.get("Accept", ""):
        return HTMLResponse(PAGE.format(name=NAME, items="\n".join(map(_item, ENDPOINTS.values()))))
    return JSONResponse({"name": NAME, "status": "running", "endpoints": ENDPOINTS})


def _item(endpoint: str) -> str:
    """A link where a browser can follow it."""
    method, _, path = endpoint.partition(" ")
    return f'<li>GET <a href="{path}">{path}</a></li>' if method == "GET" else f"<li>{endpoint}</li>"
