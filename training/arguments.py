"""What commands are given: a mistake is told before anything is computed."""

import argparse
import os
from pathlib import Path


def positive(text: str) -> int:
    """A whole number of at least 1, as the `type` of an argument. Raises ArgumentTypeError."""
    return _at_least(1, text)


def natural(text: str) -> int:
    """The same, or 0."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
    return number


def check_output(path: Path) -> None:
    """Raises ValueError if it cannot become a file; folders above it may be missing."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give a file's name")
    above = next(it for it in path.absolute().parents if it.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ValueError(f"{path} cannot be written: {above} is no folder that may be written to")
