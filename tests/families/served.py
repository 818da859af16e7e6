"""A family's checkpoint in the real Triton."""

import fcntl
from contextlib import contextmanager

from export.exporter import export
from export.hand_written import copy_hand_written
from tests.repository import REPOSITORY
from tests.stack import READY_WITHIN, running_stack


@contextmanager
def serving(checkpoint, folder, kept=None, within=READY_WITHIN, loras=()):
    """Exports the checkpoint into a repository of its own, serves it, and yields the manifest and the stack.

    folder: for what belongs to this run alone.
    kept: a name under which the repository stays in build/, so that the next run has nothing to export.
    within: seconds until it is ready. loras: fused for keyframes.
    """
    repository = REPOSITORY.parent / kept if kept else folder / "repository"
    repository.mkdir(parents=True, exist_ok=True)
    with repository.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests at the same time
        copy_hand_written(repository)
        manifest, _ = export(str(checkpoint), repository, loras=loras)
    with running_stack(folder, f"--repository={repository}") as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"], within)
        yield manifest, stack
