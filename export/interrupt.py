"""Ctrl-C during an export."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from serving.command_line import INTERRUPTED, interrupted_line

_cleanups: list[Callable[[], None]] = []


@contextmanager
def exit_on_interrupt(name: str, left: str) -> Iterator[None]:
    """Within it Ctrl-C cleans up, says one line and ends the process at once, with status 130.

    It raises no KeyboardInterrupt: one that arises in torch while it imports or traces has ended in a
    segmentation fault, in an error of another type, and in a process that killed itself by SIGINT.

    name, left: begin and end of the line, as in `serving.command_line.run`.
    """
    if threading.current_thread() is not threading.main_thread():  # it gets no signals
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for clean in reversed(_cleanups):
            with suppress(Exception):  # the next one shall clean, too
                clean()
        with suppress(Exception):  # the interrupted code may be within this very buffer
            sys.stdout.flush()
        os.write(sys.stderr.fileno(), interrupted_line(name, left).encode())
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def cleaned(clean: Callable[[], None]) -> Iterator[None]:
    """Within it a Ctrl-C calls `clean` before the process ends."""
    _cleanups.append(clean)
    try:
        yield
    finally:
        _cleanups.remove(clean)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within it Ctrl-C does nothing: publishing, which takes seconds, leaves the old artefacts or the new."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
