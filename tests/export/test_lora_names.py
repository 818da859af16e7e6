import pytest
import torch
from diffusers import UNet2DConditionModel

from export.lora_names import original_names


def names_of(**config):
    with torch.device("meta"):
        unet = UNet2DConditionModel(in_channels=9, **config)
    return [name for name, _ in unet.named_modules()]


@pytest.fixture(scope="module")
def sdxl():
    return names_of(
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("input_blocks.0.0", "conv_in"),
        ("input_blocks.1.0.in_layers.2", "down_blocks.0.resnets.0.conv1"),
        ("input_blocks.3.0.op", "down_blocks.0.downsamplers.0.conv"),
        ("input_blocks.4.0.skip_connection", "down_blocks.1.resnets.0.conv_shortcut"),
        (
            "input_blocks.4.1.transformer_blocks.1.attn2.to_k",
            "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
        ),
        ("input_blocks.8.1.proj_in", "down_blocks.2.attentions.1.proj_in"),
        (
            "middle_block.1.transformer_blocks.9.ff.net.0.proj",
            "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj",
        ),
        ("middle_block.2.out_layers.3", "mid_block.resnets.1.conv2"),
        ("output_blocks.2.1.proj_out", "up_blocks.0.attentions.2.proj_out"),
        ("output_blocks.2.2.conv", "up_blocks.0.upsamplers.0.conv"),
        ("output_blocks.5.2.conv", "up_blocks.1.upsamplers.0.conv"),
        ("output_blocks.8.0.emb_layers.1", "up_blocks.2.resnets.2.time_emb_proj"),
        ("time_embed.2", "time_embedding.linear_2"),
        ("label_emb.0.0", "add_embedding.linear_1"),
        ("out.2", "conv_out"),
    ],
)
def test_a_module_of_sdxl_is_found_by_its_authors_name(sdxl, original, name):
    assert original_names(sdxl)[original] == name


def test_upsampling_comes_second_where_there_is_no_attention():
    names = original_names(names_of())  # Stable Diffusion 1's
    assert names["output_blocks.2.1.conv"] == "up_blocks.0.upsamplers.0.conv"
    assert names["output_blocks.5.2.conv"] == "up_blocks.1.upsamplers.0.conv"
    assert names["input_blocks.11.0.in_layers.2"] == "down_blocks.3.resnets.1.conv1"


def test_every_module_with_weights_has_one_name(sdxl):
    found = original_names(sdxl)
    with_weights = [
        name for name in sdxl if name.endswith((".to_q", ".conv1", ".proj_in", ".conv", ".time_emb_proj"))
    ]
    assert set(with_weights) <= set(found.values())
    assert len(set(found.values())) == len(found)
