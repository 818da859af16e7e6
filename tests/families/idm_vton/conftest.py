import pytest

from families.idm_vton import family
from families.idm_vton.stages import describe_stages
from tests.families.idm_vton.vectors import CHECKPOINT, RESOLUTION


@pytest.fixture(scope="session")
def stages():
    """The small checkpoint's stages by name."""
    return {stage.name: stage for stage in describe_stages(CHECKPOINT, [RESOLUTION])}


@pytest.fixture(scope="session")
def loaded():
    return family.load(CHECKPOINT)
