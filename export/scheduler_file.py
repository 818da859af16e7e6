"""Loads the scheduler of a checkpoint in diffusers' layout."""

from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line
from export.files import read_json

SCHEDULER = "scheduler/scheduler_config.json"


def load_scheduler(folder: Path, fallback: str) -> Any:
    """The checkpoint's own, or diffusers' class `fallback` with its configuration if this installation does
    not have the class. Raises ExportError."""
    import diffusers

    path = folder / SCHEDULER
    config = read_json(path)
    otherwise = getattr(diffusers, fallback)
    kind = getattr(diffusers, str(config.get("_class_name")), otherwise)
    try:
        return kind.from_config(config)
    except ImportError:  # it needs a further library; the recipes choose their own schedulers anyway
        return otherwise.from_config(config)
    except Exception as error:  # any value may be wrong in any way
        raise ExportError(f"{path} does not load: {first_line(error)}") from error
