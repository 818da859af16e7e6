import copy
from pathlib import Path

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


@pytest.mark.sampled(2)
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
        ({f"unet.{QUERY}.lora_A.weight": torch.zeros(2, 32)}, "has no up matrix"),
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


@pytest.mark.parametrize("weight_of_lora", [1.0, 0.5])
@pytest.mark.parametrize("scheme", ["kohya", "diffusers"])
@pytest.mark.parametrize("name", [QUERY, CONV])
def test_a_dora_sets_the_length_of_each_row(tmp_path, unet, name, scheme, weight_of_lora):
    """Its magnitude was passed over, and the result was off by ten times what is meant."""
    changed = copy.deepcopy(unet)
    before = weight(unet, name)
    down, up = matrices(before.shape)
    rows = [before.shape[0], *(1 for _ in before.shape[1:])]
    magnitude = torch.rand(rows, generator=torch.Generator().manual_seed(2)) + 0.5
    tensors = schemes(name, down, up, torch.tensor(2.0))[scheme]
    if scheme == "kohya":
        tensors[f"lora_unet_{name.replace('.', '_')}.dora_scale"] = magnitude
    else:  # PEFT's of a convolution has the outputs second
        tensors[f"unet.{name}.lora_magnitude_vector"] = (
            magnitude.transpose(0, 1).contiguous() if len(rows) == 4 else magnitude.flatten()
        )
    save_file(tensors, tmp_path / "it.safetensors")
    fuse(changed, [Lora(tmp_path / "it.safetensors", weight_of_lora)])
    moved = before + (up.flatten(1) @ down.flatten(1)).reshape(before.shape)
    meant = magnitude * moved / moved.flatten(1).norm(dim=1).reshape(rows)
    assert torch.allclose(weight(changed, name), before + weight_of_lora * (meant - before), atol=1e-5)


def test_a_dora_of_inputs_sets_the_length_of_each_column(tmp_path, unet):
    """LyCORIS has both; the tensor's shape tells them apart."""
    changed = copy.deepcopy(unet)
    before = weight(unet, QUERY)
    down, up = matrices(before.shape)
    magnitude = torch.rand(1, before.shape[1]) + 0.5
    tensors = schemes(QUERY, down, up, torch.tensor(2.0))["kohya"]
    tensors[f"lora_unet_{QUERY.replace('.', '_')}.dora_scale"] = magnitude
    save_file(tensors, tmp_path / "it.safetensors")
    fuse(changed, [Lora(tmp_path / "it.safetensors")])
    moved = before + up @ down
    assert torch.allclose(weight(changed, QUERY), magnitude * moved / moved.norm(dim=0), atol=1e-5)


def test_the_order_of_loras_does_not_matter(tmp_path, unet):
    """A DoRA scales the checkpoint's weight, not what another LoRA made of it."""
    down, up = matrices(weight(unet, QUERY).shape)
    plain = schemes(QUERY, down, up, torch.tensor(1.0))["kohya"]
    dora = {f"unet.{QUERY}.lora_magnitude_vector": torch.ones(32)}
    save_file(plain, tmp_path / "a.safetensors")
    save_file(schemes(QUERY, down, up, None)["diffusers"] | dora, tmp_path / "b.safetensors")
    loras = [Lora(tmp_path / "a.safetensors", 0.7), Lora(tmp_path / "b.safetensors")]
    one, other = copy.deepcopy(unet), copy.deepcopy(unet)
    fuse(one, loras)
    fuse(other, loras[::-1])
    assert torch.allclose(weight(one, QUERY), weight(other, QUERY), atol=1e-5)


@pytest.mark.parametrize(
    "key",
    [
        "lora_unet_conv_in.diff",
        "lora_unet_conv_in.diff_b",
        "lora_unet_mid_block_attentions_0_proj_in.lora_mid.weight",
        "lora_unet_mid_block_attentions_0_proj_in.hada_w1_a",
        "lora_unet_mid_block_attentions_0_proj_in.lokr_w1",
        "lora_unet_mid_block_attentions_0_proj_in.oft_blocks",
        f"unet.{QUERY}.lora_B.bias",
        f"unet.{QUERY}.lora_unknown",
        "mid_block.attentions.0.proj_in.weight",
        "something_else",
    ],
)
def test_a_key_that_is_not_read_is_named(tmp_path, unet, key):
    """Such tensors vanished if there was a usual pair beside them."""
    down, up = matrices(weight(unet, QUERY).shape)
    tensors = schemes(QUERY, down, up, torch.tensor(1.0))["kohya"] | {key: torch.zeros(2, 2)}
    save_file(tensors, tmp_path / "it.safetensors")
    before = copy.deepcopy(unet)
    with pytest.raises(ExportError, match=f"contains {key}.*not read"):
        fuse(before, [Lora(tmp_path / "it.safetensors")])
    assert torch.equal(weight(before, QUERY), weight(unet, QUERY))


@pytest.mark.parametrize(
    ("end", "tensor", "message"),
    [
        ("lora_A.weight", None, "has no down matrix"),
        ("lora_B.weight", torch.zeros(32, 3), "do not fit each other"),
        ("lora_B.weight", torch.full((32, 2), float("nan")), "not finite"),
        ("alpha", torch.zeros(2), "alpha is not one number"),
        ("lora_magnitude_vector", torch.zeros(7), r"magnitude .* has the shape \(7,\)"),
    ],
)
def test_a_broken_part_is_named(tmp_path, unet, end, tensor, message):
    down, up = matrices(weight(unet, QUERY).shape)
    tensors = schemes(QUERY, down, up, None)["diffusers"]
    tensors.pop(f"unet.{QUERY}.{end}", None)
    if tensor is not None:
        tensors[f"unet.{QUERY}.{end}"] = tensor
    save_file(tensors, tmp_path / "it.safetensors")
    with pytest.raises(ExportError, match=message) as raised:
        fuse(copy.deepcopy(unet), [Lora(tmp_path / "it.safetensors")])
    assert QUERY in str(raised.value)


@pytest.mark.parametrize("prefix", ["base_model.model.unet.", "base_model.model.", "unet.", ""])
@pytest.mark.parametrize("adapter", ["", ".default"])
def test_every_prefix_of_peft_is_read(tmp_path, unet, prefix, adapter):
    down, up = matrices(weight(unet, QUERY).shape)
    tensors = {f"{prefix}{QUERY}.lora_A{adapter}.weight": down, f"{prefix}{QUERY}.lora_B{adapter}.weight": up}
    save_file(tensors, tmp_path / "it.safetensors")
    changed = copy.deepcopy(unet)
    fuse(changed, [Lora(tmp_path / "it.safetensors")])
    assert torch.allclose(weight(changed, QUERY), weight(unet, QUERY) + up @ down, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["two words.safetensors", "add detail (v1.5), x.safetensors", "style:v2.safetensors", "it's.safetensors",
     "a&b.safetensors", "[v2] $x #1;.safetensors", "a:0.5,b:2.safetensors", "größe.safetensors"],
)  # fmt: skip
def test_signs_in_a_path_belong_to_it(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for path in (name, "plain.safetensors"):
        (tmp_path / path).touch()
    expected = [Lora(Path(name), 0.8), Lora(Path("plain.safetensors"))]
    assert parse_loras(f"{name}:0.8,plain.safetensors") == expected
    assert parse_loras(f"plain.safetensors, {name} : 0.8") == expected[::-1]
    assert parse_loras(name) == [Lora(Path(name))]


def test_a_lora_may_be_a_folder_or_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "pytorch_lora_weights.safetensors"
    path.touch()
    assert parse_loras("~/mine:0.5") == [Lora(path, 0.5)]


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf"])
def test_a_weight_is_finite(tmp_path, weight):
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(ExportError, match="a number for weight"):
        parse_loras(f"{tmp_path / 'a.safetensors'}:{weight}")


@pytest.mark.parametrize(
    "text", ["missing.safetensors", "missing (v1.5), x.safetensors:0.8", "style:v2.safetensors"]
)
def test_a_missing_file_is_named(text):
    with pytest.raises(ExportError, match=r"there is no LoRA file (missing|style:v2)"):
        parse_loras(text)
