"""Logging: one line a record, with the id of the request that it belongs to."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from frontend_proxy.request_id import current_request_id
from frontend_proxy.tracing import current_trace_id

# Below these levels the libraries log what is nobody's business: headers with credentials, whole messages
# (uvicorn gives its logger to websockets), URLs with their query, each chunk of each PNG.
_LEAST = {
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "PIL": logging.INFO,
    "uvicorn.error": logging.INFO,
}

FORMAT = "%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s"


def configure(level: str, style: Literal["text", "json"] = "text") -> None:
    """Everything at `level` and above goes to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else logging.Formatter(FORMAT))
    handler.addFilter(_RequestId())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    root = logging.getLogger()
    for library, least in _LEAST.items():
        logging.getLogger(library).setLevel(max(least, root.level))
    logging.getLogger("uvicorn.error").addFilter(_is_no_refused_socket)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; `extra={"fields": {…}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            **getattr(record, "fields", {}),
        }
        if trace_id := current_trace_id():
            entry["trace_id"] = trace_id
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):  # a record may name another request than the current one
            record.request_id = current_request_id()
        return True


def _is_no_refused_socket(record: logging.LogRecord) -> bool:
    """uvicorn 0.54 takes a WebSocket that was refused with an HTTP response for a fault of ours."""
    return record.msg != "ASGI callable returned without completing handshake."
