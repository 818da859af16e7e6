import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from export.checkpoint import locate
from export.errors import ExportError
from families.sd_inpainting.checkpoint import load
from families.sd_inpainting.family import check
from tests.families.sd_inpainting import single_file_writer as single_file


@pytest.fixture
def beside(checkpoint, tmp_path):
    """A diffusers folder, whose configuration and tokenizer a single file in it uses."""
    return shutil.copytree(checkpoint, tmp_path / "a folder")


def same_weights(network, other):
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("kind", ["safetensors", "ckpt"])
def test_a_single_file_is_loaded_with_the_configuration_beside_it(checkpoint, beside, kind):
    path = beside / f"mine.{kind}"
    if kind == "ckpt":
        single_file.write_ckpt(path)
    else:
        save_file(single_file.tensors(), path)
    for part in ("unet", "vae", "text_encoder"):
        for weights in (beside / part).glob("*.safetensors"):
            weights.unlink()
    found, expected = load(locate(str(path)).path), load(checkpoint)
    for part in ("unet", "vae", "text_encoder"):
        assert same_weights(getattr(found, part), getattr(expected, part)), part
    assert found.tokenizer("a jacket").input_ids == expected.tokenizer("a jacket").input_ids


def test_a_single_file_without_configuration_says_what_converts_it(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = tmp_path / "mine.safetensors"
    save_file(single_file.tensors(), path)
    with pytest.raises(ExportError, match=r"is a single file.*makes a folder of it.*from_single_file"):
        load(locate(str(path)).path)


def test_a_file_with_one_network_is_no_checkpoint(checkpoint, tmp_path):
    path = shutil.copy(checkpoint / "unet" / "diffusion_pytorch_model.safetensors", tmp_path)
    with pytest.raises(ExportError, match=r"single file that does not contain a whole checkpoint"):
        locate(str(path))


def test_a_text_to_image_file_is_refused(tmp_path):
    found = single_file.tensors()
    name = "model.diffusion_model.input_blocks.0.0.weight"
    save_file(found | {name: found[name][:, :4].contiguous()}, tmp_path / "it.safetensors")
    with pytest.raises(ExportError, match="its UNet has 4 input channels"):
        locate(str(tmp_path / "it.safetensors"))


@pytest.mark.parametrize("name", ["it.ckpt", "it.safetensors"])
@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04 cut"])
def test_a_broken_single_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match=rf"{name} cannot be read: it is"):
        locate(str(tmp_path / name))


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"state_dict": Evil()}, tmp_path / "it.ckpt")
    with pytest.raises(ExportError, match="cannot be read without running the code in it"):
        locate(str(tmp_path / "it.ckpt"))


def test_a_folder_with_a_single_file_says_its_name(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "it.safetensors")
    with pytest.raises(ExportError, match=r"to export its single file, give .*it\.safetensors"):
        locate(str(tmp_path))


def test_only_the_file_itself_decides_what_is_exported(tmp_path):
    path = tmp_path / "it.safetensors"
    save_file(single_file.tensors(), path)
    (tmp_path / "another").write_bytes(b"b")
    assert check(path) == [path]


def test_the_writer_names_every_tensor_once(checkpoint):
    """This tests the tests' own writer: a lost tensor would be loaded from nowhere."""
    counts = [len(load_file(path)) for path in checkpoint.glob("*/*.safetensors")]
    assert len(single_file.tensors()) == sum(counts)
