"""yisol/IDM-VTON's own networks at their real size, with random weights."""

from typing import Any

import torch

from export.checks.random_weights import random_network
from export.stages import Stage
from families.idm_vton import stages
from families.idm_vton.family import GARMENT_NET, IMAGE_ENCODER, UNET
from families.idm_vton.image_tokens import ImageEncoder, Resampler
from families.idm_vton.networks import GarmentNet, TryonNet, with_garment_attention

RESOLUTION = (1024, 768)
TOKENS, CONTEXT = 77, 2048
_UNET: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "cross_attention_dim": CONTEXT,
}
_OF_TRYON_NET: dict[str, Any] = {
    "in_channels": 13,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_VISION: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "hidden_act": "gelu",
    "projection_dim": 1024,
}
# The names of the stages that no other family has, and their parameters in millions.
STAGES = {IMAGE_ENCODER: 715, GARMENT_NET: 2537, UNET: 2428}
# Compiling the whole of TryonNet, 2908 million, would take 22 GB, and both UNets in single precision 34 GB
# and more. Their transformer layers repeat: fewer of the ten have every operator, type and shape.
IN_SINGLE = {GARMENT_NET: 869, UNET: 988}
_IN_HALF, _SHALLOW = (1, 2, 8), (1, 2, 2)


def describe_stage(name: str, dtype: torch.dtype) -> Stage:
    if name == IMAGE_ENCODER:
        return stages.image_encoder(random_network(_image_encoder, dtype))
    layers = {"transformer_layers_per_block": _SHALLOW} if dtype == torch.float32 else {}
    if name == GARMENT_NET:
        garment_net = random_network(lambda: _garment_net(_UNET | layers), dtype)
        return stages.garment_net(garment_net, [RESOLUTION], TOKENS)
    layers = layers or {"transformer_layers_per_block": _IN_HALF}
    tryon_net = random_network(lambda: _tryon_net(_UNET | _OF_TRYON_NET | layers), dtype)
    return stages.unet(tryon_net, [RESOLUTION], TOKENS)


def _image_encoder() -> ImageEncoder:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    tower = CLIPVisionModelWithProjection(CLIPVisionConfig(**_VISION))
    resampler = Resampler(
        hidden=_VISION["hidden_size"], width=1280, context=CONTEXT, heads=20, depth=4, factor=4
    )
    torch.nn.init.normal_(resampler.latents)  # made without values, as all others have
    return ImageEncoder(tower, resampler)


def _garment_net(config: dict[str, Any]) -> GarmentNet:
    from diffusers import UNet2DConditionModel

    return GarmentNet(UNet2DConditionModel(**config))


def _tryon_net(config: dict[str, Any]) -> TryonNet:
    from diffusers import UNet2DConditionModel

    return TryonNet(with_garment_attention(UNet2DConditionModel(**config)))
