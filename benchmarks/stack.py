"""The server that a benchmark measures: one that runs already, or one started for the occasion."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from tests.stack import Stack, running_stack


@contextmanager
def ready_stack(**given: str | None) -> Iterator[Stack | SimpleNamespace]:
    """What is `given` (for instance `url` or `triton_grpc`) if it is, else a stack of our own, once ready."""
    if any(given.values()):
        yield SimpleNamespace(**given)
        return
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        print("Starting the stack …", flush=True)
        stack.wait_until(lambda health: health["ai_model_loaded"])
        yield stack
