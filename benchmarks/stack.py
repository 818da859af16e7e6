"""The server that a benchmark measures: a running one, or one that is started for it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from tests.stack import Stack, running_stack


@contextmanager
def ready_stack(*options: str, **given: str | None) -> Iterator[Stack | SimpleNamespace]:
    """Yields the addresses `given` (like `url` or `triton_grpc`), or starts a stack if there are none.

    options: of `python -m serving`; without --repository it serves the repository of tests and benchmarks.
    """
    if any(given.values()):
        yield SimpleNamespace(**given)
        return
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), *options) as stack:
        print("Starting the stack …", flush=True)
        stack.wait_until(lambda health: health["ai_model_loaded"])
        yield stack
