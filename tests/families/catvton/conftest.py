import pytest

from families.catvton.checkpoint import load_scheduler, load_unet, load_vae
from families.catvton.layout import find
from families.catvton.stages import describe_stages
from tests.families.catvton.vectors import CHECKPOINT, RESOLUTION


@pytest.fixture(scope="session")
def layout():
    return find(CHECKPOINT)


@pytest.fixture(scope="session")
def stages(layout):
    """The small checkpoint's stages by name."""
    stages = describe_stages(load_unet(layout), load_vae(layout), [RESOLUTION])
    return {stage.name: stage for stage in stages}


@pytest.fixture(scope="session")
def scheduler_config(layout):
    return dict(load_scheduler(layout).config)
