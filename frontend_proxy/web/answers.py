"""Answers that no cache may keep, since each belongs to its caller."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response

from frontend_proxy.web.body import JSON


def private_json(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer as JSON with `Cache-Control: no-store`. Takes time for a large one: call it in a thread."""
    more = {"Cache-Control": "no-store", **(headers or {})}
    return Response(answer.model_dump_json(), status, more, JSON)
