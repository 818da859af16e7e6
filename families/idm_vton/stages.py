"""IDM-VTON's networks as the server calls them, each loaded when its turn comes: the two UNets have 22 GB."""

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
from families.sdxl_text import Text, load_text
from pipeline.recipe import RESOLUTION_STEP

_Example = dict[str, Tensor]
_Resolution = tuple[int, int]


def describe_stages(folder: Path, resolutions: Sequence[_Resolution]) -> Iterator[Stage]:
    """The stages for the `resolutions` (height, width), with seeded example inputs of two rows.

    Raises ExportError for weights that do not fit.
    """
    text = load_text(folder)
    tokens = text.tokens
    yield _text_encoder(text)
    del text
    image_encoder = load_image_encoder(folder)
    queries = image_encoder.resampler.latents.shape[1]
    yield Stage(IMAGE_ENCODER, image_encoder, {"pixel_values": _normal(2, 3, SIDE, SIDE)}, ("image_embeds",))
    del image_encoder
    yield from _vae(folder, resolutions)
    yield _garment_net(folder, resolutions, tokens)
    yield _unet(folder, resolutions, tokens, queries)


def _text_encoder(text: Text) -> Stage:
    generator = torch.Generator().manual_seed(0)

    def ids(encoder: Any) -> Tensor:
        shape = (2, text.tokens)
        return torch.randint(encoder.config.vocab_size, shape, generator=generator, dtype=torch.int32)

    example = {
        "input_ids": ids(text.encoders.text_encoder),
        "input_ids_2": ids(text.encoders.text_encoder_2),
    }
    return Stage(TEXT_ENCODER, text.encoders, example, ("prompt_embeds", "pooled_embeds"))


def _vae(folder: Path, resolutions: Sequence[_Resolution]) -> Iterator[Stage]:
    vae = load_vae(folder)

    def pixels(resolution: _Resolution) -> _Example:
        return {"pixels": _normal(2, 3, *resolution).clamp(-1, 1)}

    def latents(resolution: _Resolution) -> _Example:
        return {"latents": _normal(2, 4, *_latent(resolution))}

    encoded = ("latent_mean", "latent_std")
    yield _at_each(resolutions, pixels, "vae_encoder", VaeEncoder(vae), encoded)
    yield _at_each(resolutions, latents, "vae_decoder", VaeDecoder(vae), ("pixels",))


def _garment_net(folder: Path, resolutions: Sequence[_Resolution], tokens: int) -> Stage:
    network = load_garment_net(folder)

    def example(resolution: _Resolution) -> _Example:
        return {
            "latents": _normal(2, 4, *_latent(resolution)),
            "timestep": torch.tensor([958.0, 251.0]),
            "prompt_embeds": _normal(2, tokens, network.unet.config.cross_attention_dim),
        }

    return _at_each(resolutions, example, GARMENT_NET, network, NAMES)


def _unet(folder: Path, resolutions: Sequence[_Resolution], tokens: int, queries: int) -> Stage:
    network = load_tryon_net(folder)
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
            "image_embeds": _normal(2, queries, config.cross_attention_dim),
            **features,
        }

    steps = {name: RESOLUTION_STEP // 8 >> depth for name, depth in zip(NAMES, DEPTHS, strict=True)}
    return _at_each(resolutions, example, UNET, network, ("model_output",), steps)


def _at_each(
    resolutions: Sequence[_Resolution],
    example: Callable[[_Resolution], _Example],
    name: str,
    module: nn.Module,
    outputs: tuple[str, ...],
    steps: dict[str, int] | None = None,
) -> Stage:
    first, *further = map(example, resolutions)
    return Stage(name, module, first, outputs, tuple(further), steps or {})


def _latent(resolution: _Resolution) -> _Resolution:
    height, width = resolution
    return height // 8, width // 8


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
