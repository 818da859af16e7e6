"""Networks that no keyframe calls make way for those that keyframes call."""

import os
from pathlib import Path

from serving.errors import CannotServe
from serving.exported import read_manifest

NICENESS = 10


def make_way(model: Path) -> bool:
    """Lower the priority of this process, and of the threads that it starts from now on, if no keyframe calls
    `<repository>/<stage>/1/model.onnx`, as its manifest says.

    A call cannot be interrupted: a keyframe that came while a capture was decoded had half of the processor
    for as long. The priority stays, since only root may raise one. Returns whether it was lowered.
    """
    stage = model.parent.parent
    try:
        entry = read_manifest(stage.parent)["stages"][stage.name]
    except (CannotServe, LookupError):
        return False  # a model alone, which a bucket was read for
    if entry.get("live", True):
        return False
    os.nice(NICENESS)
    return True
