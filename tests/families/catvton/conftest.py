import json
import shutil

import pytest

from families.catvton.checkpoint import load_scheduler, load_unet, load_vae
from families.catvton.family import UNET
from families.catvton.layout import find
from families.catvton.stages import describe_stages
from tests.families.catvton.vectors import CHECKPOINT, GUIDANCE, RESOLUTION
from tests.families.served import serving
from tests.repository import REPOSITORY

KEPT = "test-catvton"


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
def served(tmp_path_factory):
    """The manifest, and the stack that serves the small checkpoint. Several files use it, perhaps in two
    processes, so the repository is kept: the export takes long."""
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
    with serving(checkpoint, folder, kept=KEPT) as running:
        yield running


@pytest.fixture(scope="session")
def repository(served):
    """The model repository of `served`."""
    return REPOSITORY.parent / KEPT
