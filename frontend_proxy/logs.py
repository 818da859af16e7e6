"""Logging: one line a record, with the id of the request that it belongs to."""

import logging

from frontend_proxy.request_id import current_request_id

FORMAT = "%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s"


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id()
        return True


def configure(level: str) -> None:
    """Everything at `level` and above goes to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(_RequestId())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("PIL").setLevel(logging.INFO)  # at debug it logs every chunk of every PNG
