import json
import shutil

import pytest

from export.checkpoint import fingerprint, load, locate
from export.errors import ExportError
from tests import tiny_checkpoint


@pytest.fixture
def copy(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def test_a_folder_of_the_class_is_found_and_loads(checkpoint):
    loaded = load(locate(str(checkpoint)))
    assert loaded.unet.config.in_channels == 9
    assert not loaded.unet.training


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(ExportError, match="there is no checkpoint folder"):
        locate(str(tmp_path / "nowhere"))


def test_a_hub_id_that_cannot_be_had_is_reported(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ExportError, match="cannot download the checkpoint nobody/nothing from the hub"):
        locate("nobody/nothing")


def test_a_folder_without_an_index_is_no_diffusers_folder(tmp_path):
    with pytest.raises(ExportError, match=r"not a diffusers folder.*model_index\.json"):
        locate(str(tmp_path))


@pytest.mark.parametrize(
    ("part", "found"),
    [("unet", ["diffusers", "FluxTransformer2DModel"]), ("text_encoder", ["transformers", "T5EncoderModel"]),
     ("vae", [None, None])],
)  # fmt: skip
def test_a_checkpoint_of_another_class_is_refused(copy, part, found):
    index = json.loads((copy / "model_index.json").read_text())
    index[part] = found
    (copy / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ExportError, match=f"not of the Stable-Diffusion-inpainting class: its {part}"):
        locate(str(copy))


def test_a_text_to_image_checkpoint_is_refused(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "txt2img", in_channels=4)
    with pytest.raises(ExportError, match="its UNet has 4 input channels"):
        locate(str(folder))


def test_missing_weights_are_reported(copy):
    (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ExportError, match="does not load"):
        load(locate(str(copy)))


def test_a_missing_configuration_is_reported(copy):
    (copy / "unet" / "config.json").unlink()
    with pytest.raises(ExportError, match="is incomplete"):
        locate(str(copy))


def test_the_fingerprint_is_of_names_and_contents(copy):
    before = fingerprint(copy)
    assert fingerprint(copy) == before
    (copy / "pipeline.json").rename(copy / "pipeline.txt")
    renamed = fingerprint(copy)
    (copy / "pipeline.txt").write_text("{}")
    assert len({before, renamed, fingerprint(copy)}) == 3
