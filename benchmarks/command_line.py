"""How a benchmark ends: a SIGTERM, as of `timeout`, ends the servers that it has started, as Ctrl-C does."""

import signal
import sys
from collections.abc import Callable

from serving import command_line

TERMINATED = 143  # 128 + SIGTERM, as shells count


def run(name: str, main: Callable[[], int | None]) -> int:
    """As `serving.command_line.run`; a SIGTERM raises SystemExit in `main`, so that its contexts are left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    return command_line.run(name, main)
