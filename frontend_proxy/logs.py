"""Logging: one line for each record, with the id of its request.

Messages contain text of clients (paths, ids, names). Nothing in it may look like another record, or control
the terminal that shows the log.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from frontend_proxy.request_id import current_request_id
from frontend_proxy.tracing import current_trace_id

# Below these levels the libraries log secrets and whole messages: headers with credentials, WebSocket frames
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
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter(FORMAT))
    handler.addFilter(_RequestId())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    root = logging.getLogger()
    for library, least in _LEAST.items():
        logging.getLogger(library).setLevel(max(least, root.level))
    logging.getLogger("uvicorn.error").addFilter(_is_no_refused_socket)


def escaped(text: str) -> str:
    """The text, with each character that is not printable as a Python escape (`\\n`, `\\x1b`, `\\u202e`)."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class TextFormatter(logging.Formatter):
    """Lines for people. Only a traceback has more than one line; each further line begins with `  | `."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage().rstrip("\n")
        record.asctime = self.formatTime(record)
        lines = [escaped(self.formatMessage(record))]
        # Not `record.exc_text`, which another handler may have set.
        for text in (record.exc_info and self.formatException(record.exc_info), record.stack_info):
            lines += [f"  | {escaped(line)}" for line in (text or "").split("\n") if line]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII; `extra={"fields": {…}}` adds to it."""

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
        return json.dumps(entry, default=str)


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):  # a record may belong to another request than the current one
            record.request_id = current_request_id()
        return True


def _is_no_refused_socket(record: logging.LogRecord) -> bool:
    """uvicorn 0.54 logs a WebSocket that was refused with an HTTP response as an error of the application."""
    return record.msg != "ASGI callable returned without completing handshake."
