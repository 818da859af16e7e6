"""A family's checkpoint, exported as `make export` does it, for tests on the real Triton."""

from export.exporter import export
from tests.repository import copy_hand_written


def exported_repository(folder, checkpoint):
    """A new model repository in `folder` with the export of `checkpoint`."""
    repository = folder / "repository"
    copy_hand_written(repository)
    export(str(checkpoint), repository)
    return repository
