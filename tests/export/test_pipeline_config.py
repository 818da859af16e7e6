import json

import pytest

from export.errors import ExportError
from export.pipeline_config import Supported, read_config, with_denoisers
from families.sd_inpainting.recipes import default_config
from families.sd_inpainting.stages import STAGES
from pipeline.recipe import PipelineConfig

# As a file has it: what is left out has the default.
GOOD = json.loads(default_config(64).model_dump_json(exclude_unset=True))
for mode in ("keyframe", "capture"):
    del GOOD[mode]["resolution"]


ALL = Supported()


def read(folder, supported=ALL):
    return read_config(folder, lambda: default_config(64), supported)


def test_a_public_checkpoint_gets_the_masked_convention_at_its_own_size(tmp_path):
    config = read(tmp_path)
    assert config.resolution == (512, 512)
    assert config.conditioning == "masked"
    assert (config.keyframe.steps, config.capture.steps) == (4, 25)


def test_the_checkpoints_own_file_wins(tmp_path):
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | {"conditioning": "composite"}))
    assert read(tmp_path).conditioning == "composite"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": [500, 512]}, "resolution: 500 is not a multiple of 8"),
        ({"resolution": [501, 512]}, "resolution"),
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
        read(tmp_path)


LIT = GOOD["keyframe"] | {"relight_sigma": 8, "scene_light": {}}


@pytest.mark.parametrize(
    ("change", "supported", "message"),
    [
        ({}, Supported(conditioning=("person",)), "conditioning is 'masked'; .* supports person"),
        ({"framing": "cover"}, Supported(framing=("garment",)), "framing is 'cover'; .* supports garment"),
        ({"keyframe": LIT}, Supported(scene_light=False), "keyframe.scene_light: .* has no light reader"),
        ({"resolution": [504, 512]}, Supported(multiple=16), "504 is not a multiple of 16"),
    ],
)
def test_what_the_family_does_not_support_is_refused(tmp_path, change, supported, message):
    """It was exported, and then ignored or the end of every request."""
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | change))
    read(tmp_path)
    with pytest.raises(ExportError, match=message):
        read(tmp_path, supported)


def test_a_scheduler_that_tells_its_z_0_may_end_early(tmp_path):
    early = GOOD["keyframe"] | {"scheduler": "DDIMScheduler", "denoising_end": 0.5}
    (tmp_path / "pipeline.json").write_text(json.dumps(GOOD | {"keyframe": early}))
    assert read(tmp_path).keyframe.denoising_end == 0.5


def test_a_file_that_is_not_json_is_reported(tmp_path):
    (tmp_path / "pipeline.json").write_text("{")
    with pytest.raises(ExportError, match="not JSON"):
        read(tmp_path)


def test_keyframes_use_the_unet_with_the_loras_where_there_are_any():
    config = default_config(64)
    assert with_denoisers(config, STAGES, fast=False).keyframe.unet == "unet"
    assert with_denoisers(config, STAGES, fast=True).keyframe.unet == "unet_fast"
    assert with_denoisers(config, STAGES, fast=True).capture.unet == "unet"


def test_a_mode_chooses_a_unet_that_exists(tmp_path):
    chosen = GOOD | {
        "capture": GOOD["capture"] | {"unet": "unet_fast"},
        "keyframe": GOOD["keyframe"] | {"unet": "unet"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(chosen))
    config = read(tmp_path)
    chosen = with_denoisers(config, STAGES, fast=True)
    assert (chosen.keyframe.unet, chosen.capture.unet) == ("unet", "unet_fast")
    with pytest.raises(ExportError, match=r"capture uses unet_fast.* give LORAS"):
        with_denoisers(config, STAGES, fast=False)


def test_a_familys_own_denoiser_gets_the_loras_though_its_recipes_must_name_it():
    """SDXL's LoRAs were exported and never used: its recipes name `sdxl_unet`."""
    modes = {mode: GOOD[mode] | {"unet": "sdxl_unet"} for mode in ("keyframe", "capture")}
    config = PipelineConfig.model_validate(GOOD | modes)
    chosen = with_denoisers(config, ["sdxl_unet"], fast=True)
    assert (chosen.keyframe.unet, chosen.capture.unet) == ("sdxl_unet_fast", "sdxl_unet")
    modes["keyframe"]["unet"] = "sdxl_unet_fast"
    config = PipelineConfig.model_validate(GOOD | modes)
    assert with_denoisers(config, ["sdxl_unet"], fast=True).keyframe.unet == "sdxl_unet_fast"


def test_a_mode_has_the_files_resolution_or_its_own(tmp_path):
    assert default_config(64).resolutions == [(512, 512)]
    chosen = GOOD | {"capture": GOOD["capture"] | {"resolution": [768, 1024]}}
    (tmp_path / "pipeline.json").write_text(json.dumps(chosen))
    config = read(tmp_path)
    assert (config.keyframe.resolution, config.capture.resolution) == ((512, 512), (768, 1024))
    assert config.resolutions == [(512, 512), (768, 1024)]


def test_a_mode_cannot_use_a_network_that_is_not_exported():
    config = default_config(64)
    with pytest.raises(ExportError, match="uses unet, and the denoisers are catvton_unet"):
        with_denoisers(config, ["catvton_unet"], fast=False)
