"""The file in which the supervisor tells the proxy the state of Triton.

Triton opens its port only after all models are loaded. Until then the proxy cannot distinguish a Triton that
loads from one that is not running; the supervisor that has started it can.
"""

from pathlib import Path
from typing import Literal, get_args

State = Literal["loading", "ready", "away"]


def write_state(file: Path, state: State) -> None:
    """Replaces the file atomically, so a reader never sees half a word."""
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_suffix(".new")
    written.write_text(state)
    written.replace(file)


def read_state(file: Path | None) -> State | None:
    """The state; None if there is no file, or no state in it."""
    try:
        text = file.read_text() if file else ""
    except OSError:
        return None
    return next((state for state in get_args(State) if state == text), None)
