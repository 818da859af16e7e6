"""IDM-VTON's networks as the server calls them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.stages import Stage, VaeDecoder, VaeEncoder
from families.idm_vton.checkpoint import (
    load_garment_net,
    load_image_encoder,
    load_tryon_net,
    load_vae,
)
from families.idm_vton.family import GARMENT_NET, IMAGE_ENCODER, TEXT_ENCODER, UNET
from families.idm_vton.features import DEPTHS, NAMES
from families.idm_vton.garment import SIDE
from families.idm_vton.image_tokens import QUERIES, ImageEncoder
from families.idm_vton.networks import GarmentNet, TryonNet
from families.sdxl_text import TextEncoders, load_text
from pipeline.recipe import RESOLUTION_STEP

# A row fills a GPU by itself, and its features alone take 315 MB at 1024 × 768.
MAX_BATCH = 4

_Example = dict[str, Tensor]
_Resolution = tuple[int, int]


def describe_stages(folder: Path, resolutions: Sequence[_Resolution]) -> Iterator[Stage]:
    """The stages for the `resolutions` (height, width), with seeded example inputs of two rows.

    Each is loaded when its turn comes, since the two UNets have 22 GB. Raises ExportError.
    """
    text = load_text(folder)
    tokens = text.tokens
    yield text_encoder(text.encoders, tokens)
    del text
    yield image_encoder(load_image_encoder(folder))
    yield from autoencoder(load_vae(folder), resolutions)
    yield garment_net(load_garment_net(folder), resolutions, tokens)
    yield unet(load_tryon_net(folder), resolutions, tokens)


def text_encoder(encoders: TextEncoders, tokens: int) -> Stage:
    generator = torch.Generator().manual_seed(0)

    def ids(encoder: Any) -> Tensor:
        shape = (2, tokens)
        return torch.randint(encoder.config.vocab_size, shape, generator=generator, dtype=torch.int32)

    example = {"input_ids": ids(encoders.text_encoder), "input_ids_2": ids(encoders.text_encoder_2)}
    return Stage(TEXT_ENCODER, encoders, example, ("prompt_embeds", "pooled_embeds"))


def image_encoder(network: ImageEncoder) -> Stage:
    return Stage(IMAGE_ENCODER, network, {"pixel_values": _normal(2, 3, SIDE, SIDE)}, ("image_embeds",))


def autoencoder(vae: Any, resolutions: Sequence[_Resolution]) -> Iterator[Stage]:
    def pixels(resolution: _Resolution) -> _Example:
        return {"pixels": _normal(2, 3, *resolution).clamp(-1, 1)}

    def latents(resolution: _Resolution) -> _Example:
        return {"latents": _normal(2, 4, *_latent(resolution))}

    encoded = ("latent_mean", "latent_std")
    yield _at_each(resolutions, pixels, "vae_encoder", VaeEncoder(vae), encoded)
    yield _at_each(resolutions, latents, "vae_decoder", VaeDecoder(vae), ("pixels",))


def garment_net(network: GarmentNet, resolutions: Sequence[_Resolution], tokens: int) -> Stage:
    def example(resolution: _Resolution) -> _Example:
        return {
            "latents": _normal(2, 4, *_latent(resolution)),
            "timestep": torch.tensor([958.0, 251.0]),
            "prompt_embeds": _normal(2, tokens, network.unet.config.cross_attention_dim),
        }

    return _at_each(resolutions, example, GARMENT_NET, network, NAMES, max_batch=MAX_BATCH)


def unet(network: TryonNet, resolutions: Sequence[_Resolution], tokens: int) -> Stage:
    config = network.unet.config
    pooled = network.unet.add_embedding.linear_1.in_features - 6 * config.addition_time_embed_dim

    def example(resolution: _Resolution) -> _Example:
        height, width = resolution
        features = {
            name: _normal(2, *shape) for name, shape in network.feature_shapes(_latent(resolution)).items()
        }
        for tensor in features.values():
            tensor[0] = 0  # the unconditional row
        return {
            "sample": _normal(2, config.in_channels, *_latent(resolution)),
            "timestep": torch.tensor([958.0, 251.0]),
            "prompt_embeds": _normal(2, tokens, config.cross_attention_dim),
            "pooled_embeds": _normal(2, pooled),
            "time_ids": torch.tensor([[height, width, 0, 0, height, width]] * 2, dtype=torch.float32),
            "image_embeds": _normal(2, QUERIES, config.cross_attention_dim),
            **features,
        }

    steps = {name: RESOLUTION_STEP // 8 >> depth for name, depth in zip(NAMES, DEPTHS, strict=True)}
    return _at_each(resolutions, example, UNET, network, ("model_output",), steps=steps, max_batch=MAX_BATCH)


def _at_each(
    resolutions: Sequence[_Resolution],
    example: Callable[[_Resolution], _Example],
    name: str,
    module: nn.Module,
    outputs: tuple[str, ...],
    **more: Any,
) -> Stage:
    first, *further = map(example, resolutions)
    return Stage(name, module, first, outputs, tuple(further), **more)


def _latent(resolution: _Resolution) -> _Resolution:
    height, width = resolution
    return height // 8, width // 8


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
