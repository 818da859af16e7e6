"""Logging: one line a record, with the id of the request that it belongs to."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from frontend_proxy.request_id import current_request_id
from frontend_proxy.tracing import current_trace_id

FORMAT = "%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s"


def configure(level: str, style: Literal["text", "json"] = "text") -> None:
    """Everything at `level` and above goes to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else logging.Formatter(FORMAT))
    handler.addFilter(_RequestId())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At debug these log what is sent and received: headers with credentials, shoppers' pictures.
    for library in ("uvicorn.error", "grpc", "tritonclient", "httpx", "httpcore", "urllib3"):
        logging.getLogger(library).setLevel(max(logging.INFO, logging.getLevelName(level.upper())))
    logging.getLogger("PIL").setLevel(logging.INFO)  # at debug it logs every chunk of every PNG


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
