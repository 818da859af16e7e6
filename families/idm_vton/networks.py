"""The two UNets in the form in which they are exported."""

from collections.abc import Mapping
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from families.idm_vton.attention import (
    GarmentSelfAttention,
    ImageCrossAttention,
    PlainCrossAttention,
    Reading,
    block_depths,
    transformer_blocks,
)
from families.idm_vton.features import DEPTHS, NAMES, pack, unpack


class GarmentNet(nn.Module):
    """latents (B, 4, h, w), timestep (B,), prompt_embeds (B, 77, D) → the garment's features (features.py).

    latents: the garment's, without noise. prompt_embeds: of the garment's prompt.
    unet: loses what comes after the last features.
    """

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.depths = block_depths(unet)
        for block in transformer_blocks(unet):
            block.attn1.set_processor(Reading())
            block.attn2.set_processor(PlainCrossAttention())
        self.unet = _cut_after_the_last_features(unet)

    def forward(self, latents: Tensor, timestep: Tensor, prompt_embeds: Tensor) -> tuple[Tensor, ...]:
        dtype = self.unet.dtype
        features: list[Tensor] = []
        self.unet(
            latents.to(dtype),
            timestep,
            prompt_embeds.to(dtype),
            cross_attention_kwargs={"features": features},
            return_dict=False,
        )
        return pack(features, self.depths, latents.shape[-2:])


class _LastBlock(nn.Module):
    """The last transformer block up to its norm1."""

    def __init__(self, block: BasicTransformerBlock):
        super().__init__()
        self.norm1 = block.norm1

    def forward(
        self, hidden_states: Tensor, cross_attention_kwargs: Mapping[str, Any], **others: Any
    ) -> Tensor:
        cross_attention_kwargs["features"].append(self.norm1(hidden_states))
        return hidden_states


def _cut_after_the_last_features(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    last = max(i for i, block in enumerate(unet.up_blocks) if getattr(block, "has_cross_attention", False))
    unet.up_blocks = unet.up_blocks[: last + 1]
    unet.up_blocks[last].upsamplers = None
    transformer = unet.up_blocks[last].attentions[-1]
    transformer.transformer_blocks[-1] = _LastBlock(transformer.transformer_blocks[-1])
    transformer.proj_out = nn.Identity()
    unet.conv_norm_out = None
    unet.conv_out = nn.Identity()
    return unet


class TryonNet(nn.Module):
    """The denoiser: sample (B, 13, h, w) and its conditions → model_output (B, 4, h, w).

    sample: noisy latents (4), latent mask (1), latents of the masked person (4) and of the pose picture (4).
    timestep (B,), prompt_embeds (B, 77, D), pooled_embeds (B, E), image_embeds (B, 16, D).
    time_ids (B, 6): height, width, 0, 0, height, width in pixels.
    garment_features: by depth (features.py); zeros in a row without the garment.

    unet: with the processors of `with_garment_attention`.
    """

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.depths = block_depths(unet)
        self.unet = unet

    def feature_shapes(self, latent: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Without the batch. latent: (height, width) of the latents."""
        channels = self.unet.config.block_out_channels
        return {
            name: (self.depths.count(depth), latent[0] >> depth, latent[1] >> depth, channels[depth])
            for name, depth in zip(NAMES, DEPTHS, strict=True)
        }

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        prompt_embeds: Tensor,
        pooled_embeds: Tensor,
        time_ids: Tensor,
        image_embeds: Tensor,
        garment_features_1: Tensor,
        garment_features_2: Tensor,
    ) -> Tensor:
        dtype = self.unet.dtype
        features = unpack((garment_features_1, garment_features_2), self.depths, dtype)
        output: Tensor = self.unet(
            sample.to(dtype),
            timestep,
            prompt_embeds.to(dtype),
            added_cond_kwargs={"text_embeds": pooled_embeds, "time_ids": time_ids},
            cross_attention_kwargs={
                "features": features,
                "image_embeds": image_embeds.to(dtype),
            },
            return_dict=False,
        )[0]
        return output.float()


def with_garment_attention(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """`unet` with TryonNet's attention; the new weights have the checkpoint's names."""
    for position, block in enumerate(transformer_blocks(unet)):
        block.attn1.set_processor(GarmentSelfAttention(position))
        width, context = block.attn2.inner_dim, block.attn2.cross_attention_dim
        block.attn2.set_processor(ImageCrossAttention(width, context))
    return unet


def feature_values(unet: UNet2DConditionModel) -> int:
    """How many values the features of all blocks have for each pixel of the latents."""
    channels = unet.config.block_out_channels
    return round(sum(channels[depth] / 4**depth for depth in block_depths(unet)))
