"""What the supervisor tells the proxy of Triton, in a file.

Triton opens its port only when all models are loaded. Until then it looks the same from outside whether
it loads or is not there, and only who has started it knows.
"""

from pathlib import Path
from typing import Literal, get_args

State = Literal["loading", "ready", "away"]


def write_state(file: Path, state: State) -> None:
    """Replaces the file as a whole: a reader never finds half a word."""
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_suffix(".new")
    written.write_text(state)
    written.replace(file)


def read_state(file: Path | None) -> State | None:
    """None where nobody says."""
    try:
        text = file.read_text() if file else ""
    except OSError:
        return None
    return next((state for state in get_args(State) if state == text), None)
