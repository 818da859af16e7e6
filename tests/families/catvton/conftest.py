import json
import shutil

import pytest

from families.catvton.checkpoint import load_scheduler, load_unet, load_vae
from families.catvton.family import UNET
from families.catvton.layout import find
from families.catvton.stages import describe_stages
from tests.families.catvton.vectors import CHECKPOINT, GUIDANCE, RESOLUTION
from tests.families.serving import exported_repository
from tests.stack import running_stack


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


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """A model repository with the export of the small checkpoint."""
    folder = tmp_path_factory.mktemp("catvton")
    checkpoint = folder / "checkpoint"
    shutil.copytree(CHECKPOINT, checkpoint, ignore=shutil.ignore_patterns("vectors"))
    mode = {"scheduler": "DDIMScheduler", "strength": 1, "guidance_scale": GUIDANCE, "unet": UNET}
    config = {
        "resolution": RESOLUTION,
        "conditioning": "person",
        "framing": "cover",
        "prompt": "",
        "keyframe": {**mode, "steps": 4},
        "capture": {**mode, "steps": 4, "eta": 1},
    }
    (checkpoint / "pipeline.json").write_text(json.dumps(config))
    return exported_repository(folder, checkpoint)


@pytest.fixture(scope="session")
def served(repository, tmp_path_factory):
    """The whole stack on it."""
    with running_stack(tmp_path_factory.mktemp("stack"), f"--repository={repository}") as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        yield stack
