import json
import shutil

import pytest

from export.dry_job import check_schedulers
from export.errors import ExportError
from families.fashn_vton.family import DENOISER, check, claims, load, recognise
from pipeline.recipe import ServedConfig
from tests.families.fashn_vton.vectors import CHECKPOINT, RESOLUTION


@pytest.fixture
def folder(tmp_path):
    """A copy to change."""
    return shutil.copytree(CHECKPOINT, tmp_path / "checkpoint")


def configure(folder, **changes):
    recipe = {"scheduler": "ShiftedFlowMatching", "steps": 6, "strength": 1, "guidance_scale": 1.5}
    config = {
        "resolution": RESOLUTION,
        "conditioning": "person",
        "framing": "contain",
        "prompt": "",
        "keyframe": recipe | {"unet": DENOISER},
        "capture": recipe | {"unet": DENOISER},
    }
    (folder / "pipeline.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("names", "its"),
    [
        (["README.md", "model.safetensors"], True),
        (["model_index.json", "unet/model.safetensors"], False),
        (["model.safetensors", "model_index.json"], False),
        (["mix-48k-1024/attention/model.safetensors"], False),
    ],
)
def test_a_repository_with_one_network_may_be_it(names, its):
    assert claims(names) is its


def test_it_is_served_as_the_upstream_serves_it(folder):
    """30 steps, of which the last is not guided, at the size that the network was trained at."""
    loaded = load(folder)
    capture = loaded.config.capture
    assert (capture.steps, capture.guidance_scale, capture.unguided_last_steps) == (30, 1.5, 1)
    assert loaded.config.resolution == RESOLUTION
    assert loaded.scheduler_config["shift"] == 1.5
    assert not loaded.config.keyframe.guided
    assert [stage.name for stage in loaded.stages] == list(loaded.stage_names) == [DENOISER]


def test_it_may_be_used_for_commerce_and_says_what_stands_in(folder):
    loaded = load(folder)
    assert loaded.licence.commercial
    assert loaded.licence.name == "Apache-2.0"
    assert len(loaded.stand_ins) == 2


def test_its_samplers_denoise(folder):
    loaded = load(folder)
    check_schedulers(loaded.config, loaded.scheduler_config)


def test_the_weights_alone_are_enough(folder):
    shutil.copy(folder / "model.safetensors", folder.parent / "vton.safetensors")
    assert recognise(folder.parent / "vton.safetensors")
    assert load(folder.parent / "vton.safetensors").config.resolution == (864, 576)


def test_every_file_that_decides_is_named(folder):
    configure(folder)
    (folder / "README.md").write_text("Not one of them.")
    names = [path.name for path in check(folder)]
    assert names == ["model.safetensors", "config.json", "pipeline.json"]


def test_a_resolution_is_in_whole_patches(folder):
    configure(folder, resolution=[112, 72])
    with pytest.raises(ExportError, match="112 is not a multiple of 12"):
        load(folder)


def test_the_settings_reach_the_server(folder):
    configure(folder, resolution=[96, 72])
    config = load(folder).config
    served = ServedConfig(**config.model_dump(), family="fashn_vton", max_live=3)
    assert ServedConfig.model_validate_json(served.model_dump_json()).capture.resolution == (96, 72)
