"""A capture's server-sent events: pure, for both clients."""

import json
from collections.abc import Callable

from lucy_client.answer import picture_of
from lucy_client.calls import CaptureResult
from lucy_client.errors import LucyError


class Progress:
    """`step` of `steps` are done. preview: a small JPEG of the picture so far, now and then."""

    def __init__(self, step: int, steps: int, preview: bytes | None) -> None:
        self.step, self.steps, self.preview = step, steps, preview


class CaptureEvents:
    """Reads the lines of a stream; `result` is there in the end. Raises LucyError for the event `error`."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self.result: CaptureResult | None = None
        self._on_progress = on_progress
        self._event = ""

    def feed(self, line: str) -> None:
        name, _, value = line.partition(": ")
        if name == "event":
            self._event = value
        if name != "data":
            return
        if self._event == "result":
            self.result = CaptureResult.model_validate_json(value)
            return
        fields = json.loads(value)
        if self._event == "error":
            raise LucyError.of(fields, 500, fields.get("retry_after"))
        preview = fields.get("preview")
        self._on_progress(Progress(fields["step"], fields["steps"], preview and picture_of(preview)))

    def end(self) -> CaptureResult:
        """Raises LucyError if the stream broke off."""
        if self.result is None:
            raise LucyError("the connection broke before the capture was finished", "UNREACHABLE")
        return self.result
