"""Loads the scheduler of a checkpoint in diffusers' layout."""

from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line
from export.files import read_json

SCHEDULER = "scheduler/scheduler_config.json"


def load_scheduler(folder: Path, fallback: str) -> Any:
    """The checkpoint's own, or diffusers' class `fallback` with its configuration if this installation does
    not have the class. Raises ExportError, also for one that does not tell the noise of the UNet's training,
    such as that of flow matching: the recipes' schedulers would take it for diffusers' default.
    """
    import diffusers

    path = folder / SCHEDULER
    config = read_json(path)
    otherwise = getattr(diffusers, fallback)
    kind = getattr(diffusers, str(config.get("_class_name")), otherwise)
    try:
        scheduler = kind.from_config(config)
    except ImportError:  # it needs a further library; the recipes choose their own schedulers anyway
        scheduler = otherwise.from_config(config)
    except Exception as error:  # any value may be wrong in any way
        raise ExportError(f"{path} does not load: {first_line(error)}") from error
    # They tell how noisy each timestep of the training was.
    if "beta_schedule" not in scheduler.config and scheduler.config.get("trained_betas") is None:
        raise ExportError(
            f"{path} is of a {type(scheduler).__name__} without a beta_schedule: a UNet of this family is "
            "trained on the noise of betas, and this one was not, or its betas are missing"
        )
    return scheduler
