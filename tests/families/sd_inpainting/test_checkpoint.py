import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from export.checkpoint import locate
from export.errors import ExportError
from families.sd_inpainting.checkpoint import load
from tests import tiny_checkpoint


@pytest.fixture
def copy(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def test_a_folder_of_the_class_is_found_and_loads(checkpoint):
    loaded = load(locate(str(checkpoint)).path)
    assert loaded.unet.config.in_channels == 9
    assert not loaded.unet.training


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
    with pytest.raises(ExportError, match=r"unet has no weights \(diffusion_pytorch_model\.safetensors or"):
        locate(str(copy))


def test_a_missing_configuration_is_reported(copy):
    (copy / "unet" / "config.json").unlink()
    with pytest.raises(ExportError, match="is incomplete"):
        locate(str(copy))


@pytest.mark.parametrize(
    "content", ["", "{", '{"_class_name": "Stable', "[]", "version https://git-lfs.github.com"]
)
@pytest.mark.parametrize(
    "name",
    ["model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
     "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json", "tokenizer/tokenizer.json"],
)  # fmt: skip
def test_a_broken_json_is_named(copy, name, content):
    """An interrupted download or a Git-LFS pointer ended in a JSONDecodeError without a name."""
    (copy / name).write_text(content)
    with pytest.raises(ExportError, match=f"{name} is ") as raised:
        locate(str(copy))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    ["unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
     "text_encoder/model.safetensors"],
)  # fmt: skip
def test_broken_weights_are_named(copy, name):
    path = copy / name
    whole = path.read_bytes()
    for content, message in (
        (b"", "it is empty"),
        (whole[: len(whole) // 2], "it is cut off"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git-LFS pointer.*git lfs pull"),
    ):
        path.write_bytes(content)
        with pytest.raises(ExportError, match=f"{name} cannot be read: .*{message}"):
            locate(str(copy))


@pytest.mark.parametrize("name", ["scheduler/scheduler_config.json", "tokenizer/tokenizer.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(
        ExportError, match=r"is incomplete: .*(scheduler_config\.json|vocab\.json) is missing"
    ):
        locate(str(copy))


def test_weights_of_another_network_are_not_filled_with_random_numbers(copy):
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    del weights["conv_out.weight"]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ExportError, match=r"lacks 1 of the weights of .*unet/config\.json.*conv_out\.weight"):
        load(locate(str(copy)).path)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", ["bin", "fp16.safetensors", "fp16.bin", "sharded"])
def test_weights_are_found_under_each_of_their_names(copy, kind):
    expected = load(copy).unet.state_dict()
    for part in ("unet", "vae", "text_encoder"):
        [path] = (copy / part).glob("*.safetensors")
        weights, stem = load_file(path), path.name.removesuffix(".safetensors")
        path.unlink()
        if kind.startswith("fp16"):
            weights = {name: it.half() if it.is_floating_point() else it for name, it in weights.items()}
        if kind.endswith("bin"):
            stem = {"model": "pytorch_model"}.get(stem, stem)
            torch.save(weights, path.with_name(f"{stem}.{kind}"))
        elif kind == "sharded":
            name = f"{stem}-00001-of-00001.safetensors"
            save_file(weights, path.with_name(name), {"format": "pt"})
            index = {"metadata": {}, "weight_map": dict.fromkeys(weights, name)}
            path.with_name(f"{stem}.safetensors.index.json").write_text(json.dumps(index))
        else:
            save_file(weights, path.with_name(f"{stem}.{kind}"), {"format": "pt"})
    found = load(locate(str(copy)).path).unet.state_dict()
    assert all(torch.allclose(found[name], expected[name], atol=1e-3) for name in expected)
    assert {it.dtype for it in found.values()} == {torch.float32}


def test_a_missing_shard_is_named(copy):
    index = {"weight_map": {"conv_in.weight": "diffusion_pytorch_model-00001-of-00002.safetensors"}}
    (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (copy / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ExportError, match=r"model-00001-of-00002\.safetensors is missing"):
        locate(str(copy))


@pytest.mark.parametrize("change", ["no length", "no file", "too long"])
def test_prompts_are_as_long_as_the_text_encoder_allows(copy, change):
    """Without a length, transformers says 10^30, and the export ended in an overflow."""
    path = copy / "tokenizer" / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.unlink()
    if change == "no length":
        del config["model_max_length"]
        path.write_text(json.dumps(config))
    elif change == "too long":
        path.write_text(json.dumps(config | {"model_max_length": 512}))
    assert load(locate(str(copy)).path).tokenizer.model_max_length == 77


def test_a_shorter_tokenizer_keeps_its_length(copy):
    path = copy / "tokenizer" / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 32}))
    assert load(locate(str(copy)).path).tokenizer.model_max_length == 32


def test_a_unet_may_give_its_size_as_a_pair(copy):
    path = copy / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_size": [16, 8]}))
    assert list(load(locate(str(copy)).path).unet.config.sample_size) == [16, 8]


def test_an_own_scheduler_that_is_not_installed_gives_its_configuration(copy):
    path = copy / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text()) | {"_class_name": "DPMSolverSDEScheduler", "beta_end": 0.013}
    path.write_text(json.dumps(config))
    assert load(locate(str(copy)).path).scheduler.config.beta_end == 0.013
