"""LoRAs for SDXL, in every dialect."""

import copy
import json

import pytest
import torch
from safetensors.torch import save_file

from export.errors import ExportError
from export.lora import Lora, fuse
from tests.families.sdxl_inpainting.lora_files import KOHYA, QUERY, matrices, pair


@pytest.fixture(scope="module")
def unet(loaded):
    return loaded.unet


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", KOHYA)
@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "peft", "both"])
def test_every_dialect_changes_its_module_and_no_other(tmp_path, unet, dialect, name):
    before = unet.get_submodule(name).weight.detach()
    down, up = matrices(before.shape)
    tensors = pair(dialect, name, down, up)
    save_file(tensors, tmp_path / "it [1], 50%: red.safetensors")
    changed = copy.deepcopy(unet)
    [fused] = fuse(changed, [Lora(tmp_path / "it [1], 50%: red.safetensors", 0.5)])
    expected = before + 0.5 * (up.flatten(1) @ down.flatten(1)).reshape(before.shape)
    assert torch.allclose(changed.get_submodule(name).weight, expected, atol=1e-5)
    assert (fused.modules, fused.left_out) == (1, len(tensors) - 2)
    others = [key for key, value in unet.state_dict().items() if not value.equal(changed.state_dict()[key])]
    assert others == [f"{name}.weight"]


@pytest.mark.parametrize("where", ["tensor", "metadata", "file"])
def test_alpha_is_read_wherever_it_stands(tmp_path, unet, where):
    before = unet.get_submodule(QUERY).weight.detach()
    down, up = matrices(before.shape)
    path = tmp_path / ("adapter_model.safetensors" if where == "file" else "it.safetensors")
    tensors, metadata = pair("peft" if where == "file" else "kohya", QUERY, down, up), {}
    if where == "tensor":
        tensors[f"{KOHYA[QUERY]}.alpha"] = torch.tensor(6.0)
    elif where == "metadata":
        metadata["ss_network_alpha"] = "6"
    else:
        (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 6, "r": 2}))
    save_file(tensors, path, metadata)
    changed = copy.deepcopy(unet)
    fuse(changed, [Lora(path)])
    assert torch.allclose(changed.get_submodule(QUERY).weight, before + 3 * up @ down, atol=1e-5)


def test_a_dora_sets_the_length_of_each_row(tmp_path, unet):
    before = unet.get_submodule(QUERY).weight.detach()
    down, up = matrices(before.shape)
    magnitude = torch.rand(len(before), 1) + 0.5
    tensors = pair("kohya", QUERY, down, up) | {f"{KOHYA[QUERY]}.dora_scale": magnitude}
    save_file(tensors, tmp_path / "it.safetensors")
    changed = copy.deepcopy(unet)
    fuse(changed, [Lora(tmp_path / "it.safetensors")])
    moved = before + up @ down
    assert torch.allclose(
        changed.get_submodule(QUERY).weight, magnitude * moved / moved.norm(dim=1, keepdim=True), atol=1e-5
    )


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (f"{KOHYA[QUERY]}.hada_w1_a", "a LoHa"),
        (f"{KOHYA[QUERY]}.lokr_w1", "a LoKr"),
        ("lora_unet_input_blocks_1_0_in_layers_2.diff", "a full difference"),
        ("lora_transformer_x_embedder.weight", "lora_transformer"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path, unet, key, kind):
    down, up = matrices(unet.get_submodule(QUERY).weight.shape)
    save_file(pair("kohya", QUERY, down, up) | {key: torch.zeros(2, 2)}, tmp_path / "it.safetensors")
    with pytest.raises(ExportError, match=f"contains {key}.*not read") as refused:
        fuse(copy.deepcopy(unet), [Lora(tmp_path / "it.safetensors")])
    assert kind in str(refused.value)


def test_a_lora_of_stable_diffusion_1_does_not_fit(tmp_path, unet):
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    down, up = torch.zeros(2, 320), torch.zeros(320, 2)
    save_file({f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}, tmp_path / "it.safetensors")
    with pytest.raises(ExportError, match=f"does not fit this checkpoint: its UNet has no {stem}"):
        fuse(copy.deepcopy(unet), [Lora(tmp_path / "it.safetensors")])
