"""What commands are given: a mistake is told before anything is computed."""

import argparse
import math
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


def rate(text: str) -> float:
    """A number above 0, as the `type` of an argument. Raises ArgumentTypeError."""
    return _between(0, math.inf, text)


def share(text: str) -> float:
    """The same, below 1."""
    return _between(0, 1, text)


def _between(least: float, most: float, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least < number < most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between {least:g} and {most:g}")
    return number


def check_output(path: Path, suffix: str) -> None:
    """Raises ValueError if it cannot become a file; folders above it may be missing.

    suffix: that its name must have, since what is written beside it has another.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give a file's name")
    if path.suffix != suffix:
        raise ValueError(f"{path} is no name for what is written: give one that ends with {suffix}")
    check_folder(path.absolute().parent)


def check_folder(path: Path) -> None:
    """Raises ValueError if files cannot be written into it; it and folders above it may be missing."""
    there = next(it for it in (path.absolute(), *path.absolute().parents) if it.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"{path} cannot be written: {there} is no folder that may be written to")
