import pytest

from families.sdxl_inpainting.checkpoint import load
from families.sdxl_inpainting.stages import describe_stages
from tests import tiny_sdxl


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A tiny checkpoint. Copy it before you change it."""
    return tiny_sdxl.write(tmp_path_factory.mktemp("tiny_sdxl"))


@pytest.fixture(scope="session")
def loaded(folder):
    return load(folder)


@pytest.fixture(scope="session")
def stages(loaded):
    """By name."""
    return {stage.name: stage for stage in describe_stages(loaded, [tiny_sdxl.RESOLUTION])}
