import json
import math

import pytest

from export.errors import ExportError
from export.lora import Lora
from export.lora_strength import Strength, read_strength

QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


def scale(strength, in_tensors=None, rank=4, convolution=False, module=QUERY):
    return strength.scale(module, rank, in_tensors, convolution)


def peft(**config):
    return {"lora_adapter_metadata": json.dumps(config)}


@pytest.fixture
def lora(tmp_path):
    path = tmp_path / "adapter_model.safetensors"
    path.touch()
    return path


def write_config(lora, **config):
    lora.with_name("adapter_config.json").write_text(json.dumps(config))


def test_without_a_word_the_scale_is_one(lora):
    assert scale(read_strength(lora, {"format": "pt"})) == 1


def test_the_tensors_come_first_then_the_metadata_then_the_configuration(lora):
    write_config(lora, r=4, lora_alpha=8)
    assert scale(read_strength(lora, {})) == 2
    metadata = peft(**{"unet.r": 4, "unet.lora_alpha": 2})
    assert scale(read_strength(lora, metadata)) == 0.5
    assert scale(read_strength(lora, metadata), in_tensors=1) == 0.25


@pytest.mark.parametrize("prefix", ["unet.", ""])
def test_diffusers_metadata_is_read(lora, prefix):
    metadata = peft(**{f"{prefix}lora_alpha": 3, f"{prefix}use_rslora": True, "text_encoder.lora_alpha": 7})
    assert scale(read_strength(lora, metadata)) == 3 / math.sqrt(4)


def test_kohyas_metadata_is_read(lora):
    metadata = {
        "ss_network_alpha": "2.0",
        "ss_network_args": json.dumps({"conv_dim": "8", "conv_alpha": "1"}),
    }
    strength = read_strength(lora, metadata)
    assert scale(strength) == 0.5
    assert scale(strength, convolution=True, rank=8) == 1 / 8
    assert scale(read_strength(lora, {"ss_network_alpha": "None"})) == 1


def test_a_module_may_have_an_alpha_of_its_own(lora):
    write_config(
        lora, r=4, lora_alpha=4, alpha_pattern={"attn1.to_q": 8, r"down_blocks\.1.*to_k": 2, "to_v": 1}
    )
    strength = read_strength(lora, {})
    assert scale(strength) == 2
    assert scale(strength, module=QUERY.replace("to_q", "to_k")) == 0.5
    assert scale(strength, module=QUERY.replace("to_q", "to_out.0")) == 1
    assert scale(strength, module="mid.not_to_v") == 1


def test_a_configuration_of_another_file_is_not_read(lora):
    """A folder of LoRAs may hold PEFT's file and others."""
    write_config(lora, r=4, lora_alpha=8)
    other = lora.with_name("other.safetensors")
    other.touch()
    assert scale(read_strength(other, {})) == 1
    assert Lora(other).files == [other]
    assert Lora(lora).files == [lora, lora.with_name("adapter_config.json")]
    lora.unlink()
    assert scale(read_strength(other, {})) == 2


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"lora_adapter_metadata": "{"}, "lora_adapter_metadata is not JSON"),
        ({"lora_adapter_metadata": "[]"}, "lora_adapter_metadata is not a JSON object"),
        (peft(lora_alpha="much"), "lora_alpha is 'much', not a number"),
        (peft(lora_alpha=True), "not a number"),
        (peft(alpha_pattern=[1]), "alpha_pattern is not an object"),
        (peft(alpha_pattern={"(": 1}), "not a regular expression"),
        (peft(alpha_pattern={"to_q": [1]}), "not a number"),
        ({"ss_network_alpha": "x"}, "ss_network_alpha is 'x'"),
        ({"ss_network_alpha": "1", "ss_network_args": "{"}, "ss_network_args is not JSON"),
    ],
)
def test_a_wrong_value_is_named(lora, metadata, message):
    with pytest.raises(ExportError, match=message) as raised:
        read_strength(lora, metadata)
    assert str(lora) in str(raised.value)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_broken_configuration_is_named(lora, content):
    lora.with_name("adapter_config.json").write_text(content)
    with pytest.raises(ExportError, match=r"adapter_config\.json is"):
        read_strength(lora, {})


def test_the_default_is_plain():
    assert scale(Strength()) == 1
