"""Writes the tiny checkpoint as one file with the names of the original code, as trainers save it."""

import re
from pathlib import Path

import torch

from tests import tiny_checkpoint

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "down_blocks.1.attentions.0": "input_blocks.3.1",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.attentions.0": "output_blocks.0.1",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.attentions.1": "output_blocks.1.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_LEVELS = 4


def tensors() -> dict[str, torch.Tensor]:
    pipeline = tiny_checkpoint.build()
    unet = {f"model.diffusion_model.{_in_unet(key)}": it for key, it in pipeline.unet.state_dict().items()}
    vae = {}
    for key, it in pipeline.vae.state_dict().items():
        name = f"first_stage_model.{_in_vae(key)}"
        # The original's attention is made of convolutions.
        vae[name] = it[:, :, None, None] if ".attn_1." in name and it.dim() == 2 else it
    text = {
        "cond_stage_model.transformer." + (key if key.startswith("text_model.") else f"text_model.{key}"): it
        for key, it in pipeline.text_encoder.state_dict().items()
    }
    return {key: it.clone().contiguous() for key, it in (unet | vae | text).items()}


def write_ckpt(path: Path) -> Path:
    torch.save({"state_dict": tensors(), "epoch": 1}, path)
    return path


def _in_unet(key: str) -> str:
    ours = next(name for name in _UNET if key.startswith(f"{name}."))
    rest = key.removeprefix(f"{ours}.")
    if ".resnets." in ours:
        layer, _, end = rest.rpartition(".")
        rest = f"{_RESNET[layer]}.{end}"
    return f"{_UNET[ours]}.{rest}"


def _in_vae(key: str) -> str:
    key = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", key)
    key = re.sub(
        r"up_blocks\.(\d)\.resnets\.(\d)", lambda it: f"up.{_VAE_LEVELS - 1 - int(it[1])}.block.{it[2]}", key
    )
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(
        r"up_blocks\.(\d)\.upsamplers\.0", lambda it: f"up.{_VAE_LEVELS - 1 - int(it[1])}.upsample", key
    )
    for ours, theirs in (
        ("mid_block.resnets.0", "mid.block_1"),
        ("mid_block.resnets.1", "mid.block_2"),
        ("mid_block.attentions.0", "mid.attn_1"),
        ("conv_shortcut", "nin_shortcut"),
        ("conv_norm_out", "norm_out"),
        ("group_norm", "norm"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("to_out.0", "proj_out"),
    ):
        key = key.replace(ours, theirs)
    return key
