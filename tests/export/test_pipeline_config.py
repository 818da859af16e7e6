import json

import pytest

from export.errors import ExportError
from export.pipeline_config import default_config, read_config, with_unets

# As a file has it: what is left out has the default.
GOOD = json.loads(default_config(64).model_dump_json(exclude_unset=True))
for mode in ("keyframe", "capture"):
    del GOOD[mode]["resolution"]


def test_a_public_checkpoint_gets_the_masked_convention_at_its_own_size(tmp_path):
    config = read_config(tmp_path, sample_size=64)
    assert config.resolution == (512, 512)
    assert config.conditioning == "masked"
    assert (config.keyframe.steps, config.capture.steps) == (4, 25)


def test_the_checkpoints_own_file_wins(tmp_path):
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | {"conditioning": "composite"}))
    assert read_config(tmp_path, 64).conditioning == "composite"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": [500, 512]}, "resolution"),
        ({"conditioning": "magic"}, "conditioning"),
        ({"promt": "a typo"}, "promt"),
        ({"keyframe": GOOD["keyframe"] | {"scheduler": "NoSuchScheduler"}}, "NoSuchScheduler"),
        ({"keyframe": GOOD["keyframe"] | {"steps": 0}}, "keyframe.steps"),
        ({"capture": GOOD["capture"] | {"strength": 2}}, "capture.strength"),
        ({"keyframe": GOOD["keyframe"] | {"denoising_end": 0}}, "keyframe.denoising_end"),
        (
            {"keyframe": GOOD["keyframe"] | {"denoising_end": 0.5}},
            "UniPC.* does not return its prediction of z_0",
        ),
        ({"capture": GOOD["capture"] | {"resolution": [768, 1032]}}, "multiple of 64, and 1032 is not"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, change, message):
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | change))
    with pytest.raises(ExportError, match=message):
        read_config(tmp_path, 64)


def test_a_scheduler_that_tells_its_z_0_may_end_early(tmp_path):
    early = GOOD["keyframe"] | {"scheduler": "DDIMScheduler", "denoising_end": 0.5}
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | {"keyframe": early}))
    assert read_config(tmp_path, 64).keyframe.denoising_end == 0.5


def test_a_file_that_is_not_json_is_reported(tmp_path):
    (tmp_path / "pipeline.json").write_text("{")
    with pytest.raises(ExportError, match="not JSON"):
        read_config(tmp_path, 64)


def test_keyframes_use_the_unet_with_the_loras_where_there_are_any():
    config = default_config(64)
    assert with_unets(config, fast=False).keyframe.unet == "unet"
    assert with_unets(config, fast=True).keyframe.unet == "unet_fast"
    assert with_unets(config, fast=True).capture.unet == "unet"


def test_a_mode_chooses_a_unet_that_exists(tmp_path):
    chosen = GOOD | {
        "capture": GOOD["capture"] | {"unet": "unet_fast"},
        "keyframe": GOOD["keyframe"] | {"unet": "unet"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(chosen))
    config = read_config(tmp_path, 64)
    assert [with_unets(config, fast=True).keyframe.unet, with_unets(config, fast=True).capture.unet] == [
        "unet",
        "unet_fast",
    ]
    with pytest.raises(ExportError, match=r"capture uses unet_fast.* give LORAS"):
        with_unets(config, fast=False)


def test_a_mode_has_the_files_resolution_or_its_own(tmp_path):
    assert default_config(64).resolutions == [(512, 512)]
    chosen = GOOD | {"capture": GOOD["capture"] | {"resolution": [768, 1024]}}
    (tmp_path / "pipeline.json").write_text(json.dumps(chosen))
    config = read_config(tmp_path, 64)
    assert (config.keyframe.resolution, config.capture.resolution) == ((512, 512), (768, 1024))
    assert config.resolutions == [(512, 512), (768, 1024)]


@pytest.mark.parametrize("size", [[96, 64], (96, 64)])
def test_a_pair_is_height_and_width(tmp_path, size):
    assert read_config(tmp_path, size).resolution == (768, 512)


@pytest.mark.parametrize("size", [4, [1, 2, 3], "large", None])
def test_a_size_without_a_default_is_named(tmp_path, size):
    with pytest.raises(ExportError, match=r"its UNet's sample_size is .*write a pipeline\.json"):
        read_config(tmp_path, size)
