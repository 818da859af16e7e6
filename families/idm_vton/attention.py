"""The two UNets' attention, as processors for diffusers' own blocks.

Every transformer block of GarmentNet gives what its self-attention reads (the output of `norm1`), and the
same block of TryonNet reads it beside its own tokens.
"""

from collections.abc import Iterator

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


def transformer_blocks(unet: UNet2DConditionModel) -> Iterator[BasicTransformerBlock]:
    """The transformer blocks in the order in which they run: down, middle, up.

    `unet.modules()` has the middle last, which is the order of construction.
    """
    for part in (unet.down_blocks, unet.mid_block, unet.up_blocks):
        yield from (module for module in part.modules() if isinstance(module, BasicTransformerBlock))


def block_depths(unet: UNet2DConditionModel) -> list[int]:
    """How often the latents were halved before each transformer block, in the order in which they run."""
    deepest = len(unet.down_blocks) - 1
    parts = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
    part_depths = [*range(deepest + 1), deepest, *range(deepest, -1, -1)]
    return [
        depth
        for part, depth in zip(parts, part_depths, strict=True)
        for module in part.modules()
        if isinstance(module, BasicTransformerBlock)
    ]


class Reading:
    """Self-attention of GarmentNet, which keeps what it reads: the output of `norm1`."""

    def __init__(self) -> None:
        self._attend = AttnProcessor2_0()

    def __call__(
        self, attn: Attention, hidden_states: Tensor, features: list[Tensor], **others: Tensor
    ) -> Tensor:
        """features: the block's tokens, (B, N, C), are appended to it."""
        features.append(hidden_states)
        output: Tensor = self._attend(attn, hidden_states, **others)
        return output


class PlainCrossAttention:
    """Cross-attention of GarmentNet: diffusers' own. It is given the list of features, too."""

    def __init__(self) -> None:
        self._attend = AttnProcessor2_0()

    def __call__(
        self, attn: Attention, hidden_states: Tensor, features: list[Tensor], **others: Tensor
    ) -> Tensor:
        output: Tensor = self._attend(attn, hidden_states, **others)
        return output


class GarmentSelfAttention:
    """Self-attention of TryonNet: over the block's own tokens and the garment's.

    n   the block's tokens after norm1       (B, N, C)
    g   the garment's features of the block  (B, N, C)

        o = softmax(Q(n) · K([n; g])ᵀ / √d) · V([n; g])

    The unconditional row has g = 0. Zero tokens are not absent ones: their keys and values are 0, since
    to_k and to_v have no bias, but each still takes exp(0) of the softmax.

    position: of the block among all, in the order in which they run.
    """

    def __init__(self, position: int):
        self._position = position

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        features: list[Tensor],
        image_embeds: Tensor,
        **others: Tensor,
    ) -> Tensor:
        """features: the garment's, one of each block."""
        both = torch.cat([hidden_states, features[self._position]], dim=1)
        return _out(attn, _attend(attn, attn.to_q(hidden_states), attn.to_k(both), attn.to_v(both)))


class ImageCrossAttention(nn.Module):
    """Cross-attention of TryonNet: to the prompt's tokens, and to the garment's with weights of their own.

        o = attention(Q(h), K(text), V(text)) + attention(Q(h), K_ip(image), V_ip(image))

    width: of the block's tokens. context: of the prompt's and the garment's.
    """

    def __init__(self, width: int, context: int):
        super().__init__()
        self.to_k_ip = nn.Linear(context, width, bias=False)
        self.to_v_ip = nn.Linear(context, width, bias=False)

    # Not `forward`: diffusers passes on the arguments that it finds in the signature of `__call__`.
    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        features: list[Tensor],
        image_embeds: Tensor,
        **others: Tensor,
    ) -> Tensor:
        """encoder_hidden_states (B, 77, D): the prompt. image_embeds (B, 16, D): the garment's picture."""
        query = attn.to_q(hidden_states)
        text = _attend(attn, query, attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states))
        image = _attend(attn, query, self.to_k_ip(image_embeds), self.to_v_ip(image_embeds))
        return _out(attn, text + image)


def _attend(attn: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of several heads, each (B, tokens, C) → (B, tokens, C)."""
    heads = [it.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for it in (query, key, value)]
    return scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)


def _out(attn: Attention, joined: Tensor) -> Tensor:
    output: Tensor = attn.to_out[1](attn.to_out[0](joined))
    return output
