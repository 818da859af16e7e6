"""A checkpoint's light reader."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from export.errors import ExportError
from families.sd_inpainting.light import WEIGHTS, light_stages
from families.sd_inpainting.recipes import default_config
from pipeline.light.light_reader import LightReader
from pipeline.recipe import SceneLight

CONFIG = default_config(32)


@pytest.fixture
def with_reader(tmp_path):
    (tmp_path / WEIGHTS).parent.mkdir()
    save_file({name: weight.half() for name, weight in LightReader().state_dict().items() if weight.ndim}
              | {name: weight for name, weight in LightReader().state_dict().items() if not weight.ndim},
              tmp_path / WEIGHTS)  # fmt: skip
    return tmp_path


def reading(config):
    keyframe = config.keyframe.model_copy(update={"scene_light": SceneLight(), "relight_sigma": 3})
    return config.model_copy(update={"keyframe": keyframe})


def test_a_checkpoint_without_one_has_no_stage(tmp_path):
    assert light_stages(tmp_path, CONFIG) == []


def test_its_stage_has_the_names_that_the_pipeline_calls(with_reader):
    [stage] = light_stages(with_reader, reading(CONFIG))
    assert (stage.name, list(stage.example), stage.outputs) == (
        "light_reader",
        ["scene"],
        ("log_light", "confidence"),
    )
    with torch.no_grad():
        log_light, confidence = stage.module(**stage.example)
    assert (len(log_light), len(confidence)) == (2, 2)


def test_a_mode_that_takes_the_scenes_light_needs_one(tmp_path):
    with pytest.raises(ExportError, match=r"keyframe takes the light of the scene, but .*light_reader"):
        light_stages(tmp_path, reading(CONFIG))


def test_a_broken_file_is_named(with_reader):
    path = with_reader / WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ExportError, match=f"{WEIGHTS} does not load as a light reader"):
        light_stages(with_reader, CONFIG)
    shutil.rmtree(path.parent)
    assert light_stages(with_reader, CONFIG) == []
