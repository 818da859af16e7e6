import json
import shutil
from pathlib import Path

import pytest

from export.errors import ExportError
from families.catvton import family
from families.catvton.layout import find
from tests.families.catvton.vectors import CHECKPOINT

MIX = "mix-48k-1024"


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(CHECKPOINT, tmp_path / "copy", ignore=shutil.ignore_patterns("vectors"))


@pytest.mark.parametrize("within", ["", "catvton", f"catvton/{MIX}"])
def test_it_is_recognised_with_its_base_and_its_vae_beside_it(within):
    """The whole, CatVTON's own repository, or one version of it."""
    path = CHECKPOINT / within
    assert family.recognise(path)
    layout = find(path)
    assert layout.version == "mix"
    assert (layout.base, layout.vae) == (CHECKPOINT / "base", CHECKPOINT / "vae")
    assert {it.name for it in family.check(path)} >= {"model.safetensors", "scheduler_config.json"}


def test_a_folder_without_attention_weights_is_not_recognised(checkpoint):
    assert not family.recognise(checkpoint)
    assert not family.recognise(CHECKPOINT / "base")
    assert not family.recognise(CHECKPOINT / "vae" / "config.json")


@pytest.mark.parametrize(
    ("version", "name", "resolution"),
    [
        ("vitonhd-16k-512", "vitonhd", (512, 384)),
        ("dresscode-16k-512", "dresscode", (512, 384)),
        ("mine", "mine", (1024, 768)),
    ],
)
def test_a_version_of_its_own_is_found(copy, version, name, resolution):
    (copy / "catvton" / MIX).rename(copy / "catvton" / version)
    layout = find(copy)
    assert (layout.version, layout.resolution) == (name, resolution)


def test_of_several_versions_the_default_is_taken_unless_one_is_given(copy):
    shutil.copytree(copy / "catvton" / MIX, copy / "catvton" / "dresscode-16k-512")
    assert find(copy).version == "mix"
    assert find(copy / "catvton" / "dresscode-16k-512").version == "dresscode"


def test_the_hub_is_asked_for_one_version(copy, monkeypatch):
    asked = []

    def snapshot(hub_id, allowed, ignored=()):
        asked.append((hub_id, *allowed))
        return copy / "catvton"

    monkeypatch.setattr(family, "snapshot", snapshot)
    assert family.claims([f"{MIX}/attention/model.safetensors", "README.md"])
    assert not family.claims(["model_index.json", "unet/config.json"])
    assert family.download("zhengchong/CatVTON") == copy / "catvton" / MIX
    with pytest.raises(ExportError, match="has no version vitonhd: the known ones are mix, vitonhd"):
        family.download("zhengchong/CatVTON:vitonhd")
    assert asked[1] == ("zhengchong/CatVTON", "vitonhd-16k-512/attention/model.safetensors")


def test_missing_parts_are_downloaded(copy, monkeypatch):
    (base,) = (shutil.move(copy / "base", copy.parent / "elsewhere"),)
    shutil.move(copy / "vae", copy.parent / "far")
    asked = []

    def download(hub_id, parts, configuration):
        asked.append(hub_id)
        return Path(base) if "inpainting" in hub_id else copy.parent / "far"

    monkeypatch.setattr("families.catvton.checkpoint.download", download)
    family.check(copy)
    assert set(asked) == {"booksforcharlie/stable-diffusion-inpainting", "stabilityai/sd-vae-ft-mse"}


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda it: change(it / "base" / "unet" / "config.json", in_channels=4),
            "CatVTON's, whose base is a UNet for inpainting with 9 .* has 4",
        ),
        (
            lambda it: (it / "catvton" / MIX / "attention" / "model.safetensors").write_text(
                "version https://git-lfs.github.com/spec/v1"
            ),
            "Git-LFS pointer",
        ),
        (
            lambda it: shutil.copy(
                it / "vae" / "diffusion_pytorch_model.safetensors",
                it / "catvton" / MIX / "attention" / "model.safetensors",
            ),
            "is not CatVTON's attention weights.* it contains decoder",
        ),
        (
            lambda it: (it / "base" / "scheduler" / "scheduler_config.json").unlink(),
            "CatVTON needs .*missing",
        ),
        (lambda it: (it / "vae" / "diffusion_pytorch_model.safetensors").write_text(""), "is empty"),
        (lambda it: (it / "base" / "unet" / "config.json").write_text("{"), "is not JSON"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(copy, spoil, message):
    spoil(copy)
    with pytest.raises(ExportError, match=message) as refused:
        family.check(copy)
    assert "\n" not in str(refused.value)


def test_a_missing_base_says_where_to_put_it(copy, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    shutil.rmtree(copy / "base")
    with pytest.raises(ExportError, match="needs booksforcharlie/stable-diffusion-inpainting") as it:
        family.check(copy)
    assert str(copy / "catvton" / "base") in str(it.value)


def test_its_sampler_is_ddim_whatever_class_the_base_names(copy):
    """Upstream builds a DDIMScheduler from the values of any."""
    change(copy / "base" / "scheduler" / "scheduler_config.json", _class_name="PNDMScheduler", beta_end=0.01)
    loaded = family.load(copy)
    assert loaded.scheduler_config["_class_name"] == "DDIMScheduler"
    assert loaded.scheduler_config["beta_end"] == 0.01


def test_it_is_loaded_with_its_recipes_and_its_licence():
    loaded = family.load(CHECKPOINT)
    assert [stage.name for stage in loaded.stages] == list(loaded.stage_names)
    assert loaded.config.capture.resolution == (1024, 768)
    assert loaded.config.keyframe.resolution == (512, 384)
    assert (loaded.config.capture.steps, loaded.config.capture.eta) == (50, 1)
    assert loaded.licence.commercial is False


def test_a_base_of_pickles_in_half_precision_loads_the_same(copy):
    import torch
    from diffusers import UNet2DConditionModel

    folder = copy / "base" / "unet"
    unet = UNet2DConditionModel.from_pretrained(folder).half()
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    unet.save_pretrained(folder, safe_serialization=False, variant="fp16")
    loaded = family.load(copy)
    found = next(stage for stage in loaded.stages if stage.name == family.UNET).module.unet
    weight = "down_blocks.0.resnets.0.conv1.weight"
    assert found.state_dict()[weight].dtype is torch.float32
    assert torch.equal(found.state_dict()[weight], unet.state_dict()[weight].float())
