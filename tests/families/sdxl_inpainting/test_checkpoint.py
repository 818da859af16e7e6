import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from export.errors import ExportError
from families.sdxl_inpainting.checkpoint import check, load, recognise


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_checkpoint_of_the_class_is_recognised_and_passes(folder):
    assert recognise(folder)
    check(folder)


def test_another_class_is_not_recognised(copy, checkpoint):
    assert not recognise(checkpoint)  # Stable Diffusion 1's
    (copy / "unet_encoder").mkdir()
    assert not recognise(copy)  # IDM-VTON, whose model_index.json names SDXL's pipeline
    assert not recognise(copy / "unet")


def test_a_single_file_is_refused_by_the_name_of_its_family(tmp_path):
    path = tmp_path / "it.safetensors"
    save_file({"conditioner.embedders.1.model.ln_final.bias": np.zeros(2, np.float32)}, path)
    assert recognise(path)
    with pytest.raises(ExportError, match="is an SDXL checkpoint in a single file"):
        check(path)
    save_file({"cond_stage_model.bias": np.zeros(2, np.float32)}, path)
    assert not recognise(path)
    path.write_text("nothing")
    assert not recognise(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda it: change(it / "unet" / "config.json", in_channels=4),
            "SDXL checkpoint, but not for inpainting: its UNet has 4",
        ),
        (lambda it: change(it / "model_index.json", requires_aesthetics_score=True), "SDXL refiner"),
        (
            lambda it: change(it / "model_index.json", text_encoder=[None, None]),
            "has a CLIPTextModel as its text_encoder, not none",
        ),
        (
            lambda it: (it / "text_encoder_2" / "model.safetensors").unlink(),
            "text_encoder_2 has no weights",
        ),
        (
            lambda it: (it / "unet" / "diffusion_pytorch_model.safetensors").write_text(
                "version https://git-lfs.github.com/spec/v1"
            ),
            "Git-LFS pointer",
        ),
        (lambda it: (it / "tokenizer_2" / "tokenizer_config.json").write_text("{"), "is not JSON"),
        (lambda it: shutil.rmtree(it / "scheduler"), "scheduler_config.json is missing"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(copy, spoil, message):
    spoil(copy)
    with pytest.raises(ExportError, match=message) as refused:
        check(copy)
    assert "\n" not in str(refused.value)


def test_a_scheduler_that_is_not_known_gives_its_values(copy):
    """The recipes choose their own schedulers; what counts is the noise that the UNet was trained on."""
    change(copy / "scheduler" / "scheduler_config.json", _class_name="TomorrowsScheduler", beta_end=0.02)
    config = load(copy).scheduler_config
    assert config["beta_end"] == 0.02


def test_an_empty_negative_prompt_is_zeros_unless_the_checkpoint_says_otherwise(copy):
    assert load(copy).zero_negative
    change(copy / "model_index.json", force_zeros_for_empty_prompt=False)
    assert not load(copy).zero_negative
