"""Loads an IDM-VTON checkpoint's networks, in single precision and in the form that is exported."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from export.errors import ExportError, first_line
from export.files import read_json
from export.network import load_network
from families.idm_vton.image_tokens import ImageEncoder, Resampler
from families.idm_vton.networks import GarmentNet, TryonNet, feature_values, with_garment_attention
from families.idm_vton.weights import Weights, assign, read_weights, take

Network = TypeVar("Network", bound=nn.Module)

# Keys of an averaging wrapper, which the hub's file has and no UNet takes.
_OF_THE_AVERAGE = (
    *("decay", "inv_gamma", "min_decay", "optimization_step", "power", "update_after_step"),
    "use_ema_warmup",
)
# TryonNet's file also has the Resampler, which is a part of another stage.
_OF_THE_RESAMPLER = ("encoder_hid_dim", "encoder_hid_dim_type")
_RESAMPLER = "encoder_hid_proj."
# GarmentNet's file has the weights of conditions that its configuration does not have.
_UNUSED_BY_GARMENT_NET = "add_embedding."


def load_tryon_net(folder: Path) -> TryonNet:
    """Raises ExportError, which names the broken file, like the other functions here."""
    weights, _ = _tryon_weights(folder)
    unet = with_garment_attention(_empty_tryon_unet(folder))
    assign(unet, weights, folder / "unet")
    return _frozen(TryonNet(unet))


def load_garment_net(folder: Path) -> GarmentNet:
    weights = read_weights(folder, "unet_encoder")
    unet = _empty_unet(folder / "unet_encoder", ())
    if unet.config.addition_embed_type is None:
        take(weights, _UNUSED_BY_GARMENT_NET)
    assign(unet, weights, folder / "unet_encoder")
    return _frozen(GarmentNet(unet))


def load_image_encoder(folder: Path) -> ImageEncoder:
    from transformers import CLIPVisionModelWithProjection

    _, weights = _tryon_weights(folder)
    try:
        resampler = Resampler.of(weights)
    except (KeyError, ValueError) as error:
        raise ExportError(f"{folder / 'unet'} has no Resampler of IDM-VTON: {error} is missing") from error
    assign(resampler, weights, folder / "unet")
    tower = load_network(CLIPVisionModelWithProjection, folder, "image_encoder")
    return _frozen(ImageEncoder(tower, resampler))


def load_vae(folder: Path) -> Any:
    return load_network(AutoencoderKL, folder, "vae", low_cpu_mem_usage=False).eval()


def values_per_latent(folder: Path) -> int:
    """How many values GarmentNet's features have for each pixel of the latents."""
    return feature_values(_empty_tryon_unet(folder))


def _tryon_weights(folder: Path) -> tuple[Weights, Weights]:
    """The UNet's, and the Resampler's."""
    weights = read_weights(folder, "unet")
    return weights, take(weights, _RESAMPLER)


def _empty_tryon_unet(folder: Path) -> UNet2DConditionModel:
    return _empty_unet(folder / "unet", _OF_THE_AVERAGE + _OF_THE_RESAMPLER)


def _empty_unet(folder: Path, ignored: tuple[str, ...]) -> UNet2DConditionModel:
    """The UNet of the configuration, without memory for its weights."""
    config = {name: it for name, it in read_json(folder / "config.json").items() if name not in ignored}
    try:
        with torch.device("meta"):
            return UNet2DConditionModel.from_config(config)
    except Exception as error:  # any value may be wrong in any way
        raise ExportError(
            f"{folder / 'config.json'} does not describe a UNet: {first_line(error)}"
        ) from error


def _frozen(network: Network) -> Network:
    return network.eval().requires_grad_(False)
