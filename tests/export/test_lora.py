import copy

import pytest
import torch
from safetensors.torch import save_file

from export.errors import ExportError
from export.lora import Lora, fuse, parse_loras
from tests import tiny_checkpoint

QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONV = "down_blocks.0.resnets.0.conv1"


@pytest.fixture(scope="module")
def unet():
    return tiny_checkpoint.build().unet


def weight(unet, name):
    return unet.get_submodule(name).weight.detach()


def matrices(shape, rank=2):
    generator = torch.Generator().manual_seed(1)
    down = torch.randn(rank, *shape[1:], generator=generator)
    up = torch.randn(shape[0], rank, *(1 for _ in shape[2:]), generator=generator)
    return down, up


def schemes(name, down, up, alpha):
    kohya = f"lora_unet_{name.replace('.', '_')}"
    old = name.replace(".to_q", ".processor.to_q_lora").replace(".to_out.0", ".processor.to_out_lora")
    return {
        "kohya": {f"{kohya}.lora_down.weight": down, f"{kohya}.lora_up.weight": up, f"{kohya}.alpha": alpha},
        "diffusers": {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up},
        "before peft": {f"unet.{old}.down.weight": down, f"unet.{old}.up.weight": up},
    }


@pytest.mark.parametrize("name", [QUERY, OUT])
@pytest.mark.parametrize("scheme", ["kohya", "diffusers", "before peft"])
def test_every_naming_scheme_changes_the_module_by_the_papers_formula(tmp_path, unet, name, scheme):
    changed = copy.deepcopy(unet)
    down, up = matrices(weight(unet, name).shape)
    save_file(schemes(name, down, up, torch.tensor(1.0))[scheme], tmp_path / "it.safetensors")
    [fused] = fuse(changed, [Lora(tmp_path / "it.safetensors", 0.5)])
    scale = 1 / 2 if scheme == "kohya" else 1  # alpha / rank
    expected = weight(unet, name) + 0.5 * scale * up @ down
    assert torch.allclose(weight(changed, name), expected, atol=1e-6)
    assert fused.modules == 1
    others = [key for key, value in unet.state_dict().items() if not value.equal(changed.state_dict()[key])]
    assert others == [f"{name}.weight"]


def test_a_convolutions_lora_is_the_product_of_two_convolutions(tmp_path, unet):
    changed = copy.deepcopy(unet)
    down, up = matrices(weight(unet, CONV).shape)
    save_file(schemes(CONV, down, up, torch.tensor(2.0))["kohya"], tmp_path / "it.safetensors")
    fuse(changed, [Lora(tmp_path / "it.safetensors")])
    picture = torch.randn(1, down.shape[1], 5, 5, generator=torch.Generator().manual_seed(0))
    conv2d = torch.nn.functional.conv2d
    chain = conv2d(conv2d(picture, down, padding=1), up)
    difference = weight(changed, CONV) - weight(unet, CONV)
    assert torch.allclose(conv2d(picture, difference, padding=1), chain, atol=1e-4)


def test_tensors_for_the_text_encoder_are_left_out_and_counted(tmp_path, unet):
    down, up = matrices(weight(unet, QUERY).shape)
    tensors = schemes(QUERY, down, up, torch.tensor(1.0))["kohya"]
    tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = torch.zeros(2, 8)
    save_file(tensors, tmp_path / "it.safetensors")
    [fused] = fuse(copy.deepcopy(unet), [Lora(tmp_path / "it.safetensors")])
    assert (fused.modules, fused.left_out) == (1, 1)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {"lora_unet_nowhere.lora_down.weight": torch.zeros(2, 8)},
            "does not fit .* has no lora_unet_nowhere",
        ),
        ({f"unet.{QUERY}.lora_A.weight": torch.zeros(2, 32)}, "but no up matrix"),
        (
            {
                f"unet.{QUERY}.lora_A.weight": torch.zeros(2, 768),
                f"unet.{QUERY}.lora_B.weight": torch.zeros(320, 2),
            },
            r"\(320, 768\) in the LoRA and \(32, 32\) in the UNet",
        ),
        ({"lora_te_text_model.lora_down.weight": torch.zeros(2, 8)}, "changes no UNet module"),
    ],
)
def test_a_lora_that_does_not_fit_is_reported(tmp_path, unet, tensors, message):
    save_file(tensors, tmp_path / "it.safetensors")
    with pytest.raises(ExportError, match=message):
        fuse(copy.deepcopy(unet), [Lora(tmp_path / "it.safetensors")])


def test_a_file_of_another_kind_is_reported(tmp_path, unet):
    (tmp_path / "it.safetensors").write_bytes(b"PK\x03\x04 a pickle")
    with pytest.raises(ExportError, match="not a safetensors file"):
        fuse(copy.deepcopy(unet), [Lora(tmp_path / "it.safetensors")])


def test_loras_are_read_from_one_line(tmp_path):
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).touch()
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert parse_loras(f"{a}:0.8, {b}") == [Lora(a, 0.8), Lora(b, 1.0)]
    assert parse_loras("") == []
    with pytest.raises(ExportError, match="a number for weight"):
        parse_loras(f"{a}:strong")
    with pytest.raises(ExportError, match="there is no LoRA file"):
        parse_loras("nowhere.safetensors:1")
