"""Ctrl-C during an export."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def plain_interrupt() -> Iterator[None]:
    """Within it Ctrl-C always ends in KeyboardInterrupt.

    Extensions that are interrupted while they are imported, such as numpy, raise errors of their own instead.
    """
    if threading.current_thread() is not threading.main_thread():  # it gets no signals
        yield
        return
    pressed = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception as error:
        if pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)


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


@contextmanager
def delayed_interrupt() -> Iterator[None]:
    """Within it Ctrl-C waits for the end: an interrupted import may print a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
