"""What is recognised as IDM-VTON, what is loaded of it, and what is refused, in one sentence."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from export.errors import ExportError
from families import registry
from families.idm_vton import family
from families.idm_vton.checkpoint import load_garment_net, load_image_encoder, load_tryon_net
from families.idm_vton.layout import NETWORKS, check, recognise
from families.idm_vton.weights import read_weights
from tests.families.idm_vton.vectors import CHECKPOINT

UNET = "unet/diffusion_pytorch_model.bin"


@pytest.fixture
def copy(tmp_path):
    """A copy of the checkpoint whose files can be replaced: its files are links."""
    for path in CHECKPOINT.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(CHECKPOINT)
            target.parent.mkdir(exist_ok=True)
            os.link(path, target)
    return tmp_path


def replace(folder, name, content):
    (folder / name).unlink()
    (folder / name).write_bytes(content)


def change(folder, name, **values):
    config = json.loads((folder / name).read_text()) | values
    replace(folder, name, json.dumps(config).encode())


def test_it_is_recognised_by_its_folders_and_channels(copy):
    """Its model_index.json is that of a plain SDXL inpainting checkpoint."""
    assert registry.recognise(copy).NAME == "idm_vton"
    (copy / "model_index.json").unlink()
    assert registry.recognise(copy).NAME == "idm_vton"
    change(copy, "unet/config.json", in_channels=9)
    assert not recognise(copy)


def test_a_repository_is_claimed_by_the_names_of_its_files():
    names = [str(path.relative_to(CHECKPOINT)) for path in CHECKPOINT.rglob("*") if path.is_file()]
    assert registry.claimed(names).NAME == "idm_vton"
    assert registry.claimed([name for name in names if "unet_encoder" not in name]).NAME != "idm_vton"


def test_every_file_that_counts_is_named():
    files = {str(path.relative_to(CHECKPOINT)) for path in check(CHECKPOINT)}
    assert UNET in files
    assert {f"{part}/config.json" for part in NETWORKS} < files
    assert "tokenizer_2/merges.txt" in files


@pytest.mark.nightly
def test_pickles_and_safetensors_hold_the_same(copy):
    weights = read_weights(copy, "unet")
    (copy / UNET).unlink()
    save_file(weights, copy / "unet" / "diffusion_pytorch_model.safetensors")
    check(copy)
    found = load_tryon_net(copy).state_dict()
    expected = load_tryon_net(CHECKPOINT).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_half_precision_is_loaded_in_single(copy):
    weights = {name: it.half() for name, it in read_weights(copy, "unet_encoder").items()}
    name = "unet_encoder/diffusion_pytorch_model.safetensors"
    (copy / name).unlink()
    save_file(weights, copy / name)
    assert {it.dtype for it in load_garment_net(copy).state_dict().values()} == {torch.float32}


def test_a_pickle_that_runs_code_is_not_read(copy):
    class Code:
        def __reduce__(self):
            return (os.mkdir, (str(copy / "ran"),))

    replace(copy, UNET, b"")
    torch.save({"conv_in.weight": Code()}, copy / UNET)
    with pytest.raises(ExportError, match=r"holds more than weights"):
        load_tryon_net(copy)
    replace(copy, UNET, pickle.dumps(Code(), protocol=2))
    with pytest.raises(ExportError, match=r"diffusion_pytorch_model\.bin"):
        load_tryon_net(copy)
    assert not (copy / "ran").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet_encoder/config.json", "is IDM-VTON, but incomplete"),
        ("image_encoder/config.json", "is IDM-VTON, but incomplete"),
        ("scheduler/scheduler_config.json", "is IDM-VTON, but incomplete"),
        ("tokenizer_2/vocab.json", "is IDM-VTON, but incomplete"),
        (UNET, "unet has no weights"),
        ("text_encoder_2/model.safetensors", "text_encoder_2 has no weights"),
    ],
)
def test_what_is_missing_is_named(copy, name, message):
    (copy / name).unlink()
    assert recognise(copy)
    with pytest.raises(ExportError, match=message):
        check(copy)


def test_a_pointer_of_git_lfs_is_named(copy):
    replace(copy, UNET, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ExportError, match="Git-LFS pointer"):
        check(copy)


def test_a_key_too_few_or_too_many_is_named(copy):
    """No weight may vanish in silence, and none may be left as it was made."""
    weights = read_weights(copy, "unet")
    lost = weights.pop("mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.weight")
    replace(copy, UNET, b"")
    torch.save(weights, copy / UNET)
    with pytest.raises(ExportError, match=r"lacks 1 .*to_k_ip"):
        load_tryon_net(copy)
    torch.save(weights | {"mystery.weight": lost}, copy / UNET)
    with pytest.raises(ExportError, match="to_k_ip"):
        load_tryon_net(copy)


def test_a_unet_without_a_resampler_is_named(copy):
    weights = {name: it for name, it in read_weights(copy, "unet").items() if "encoder_hid" not in name}
    replace(copy, UNET, b"")
    torch.save(weights, copy / UNET)
    with pytest.raises(ExportError, match="no Resampler"):
        load_image_encoder(copy)


def test_unets_of_another_class_are_refused(copy):
    blocks = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
    change(copy, "unet_encoder/config.json", down_block_types=blocks)
    with pytest.raises(ExportError, match=r"its unet_encoder has the blocks .* not SDXL's"):
        check(copy)


def test_a_shape_that_does_not_fit_is_named(copy):
    change(copy, "unet/config.json", cross_attention_dim=64)
    with pytest.raises(ExportError, match="has the shape"):
        load_tryon_net(copy)


@pytest.mark.nightly
def test_what_the_export_learns(loaded):
    assert loaded.licence.commercial is False
    assert loaded.config.capture.steps == 30
    assert loaded.config.keyframe.unet == "idm_unet"
    assert loaded.settings == {"values_per_latent": 16 * 10 // 4 + 32 * 12 // 16}
    assert "DensePose" in loaded.stand_ins[0]
    assert set(loaded.files) == {"tokenizer.json", "tokenizer_2.json"}
    assert tuple(stage.name for stage in loaded.stages) == family.STAGES


def test_a_pipeline_json_is_followed(copy):
    config = family.default_config().model_dump()
    config["resolution"] = config["keyframe"]["resolution"] = config["capture"]["resolution"] = [256, 192]
    (copy / "pipeline.json").write_text(json.dumps(config))
    assert copy / "pipeline.json" in check(copy)
    assert family.load(copy).config.resolutions == [(256, 192)]
