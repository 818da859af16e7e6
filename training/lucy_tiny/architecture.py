"""Builds lucy-tiny's networks and writes its checkpoint folder.

A latent-diffusion inpainting model (Rombach et al., 2022, arXiv:2112.10752) in the shapes that diffusers'
`StableDiffusionInpaintPipeline` knows, small enough for two CPU cores: 256×256 pixels, 32×32×4 latents. The
UNet predicts v (Salimans & Ho, 2022, arXiv:2202.00512) on a schedule that ends in pure noise and starts its
steps there (Lin et al., 2023, arXiv:2305.08891). A few steps from a partly noised image would keep the
render's flat light.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.lucy_tiny.captions import PROMPT, corpus

RESOLUTION = 256
LATENT_SIZE = RESOLUTION // 8
TOKENS = 77
TEXT_WIDTH = 128


def build_tokenizer(sentences: Iterable[str]) -> CLIPTokenizer:
    """CLIP's tokenizer (lower case, byte-level BPE) with the merges of `sentences`."""
    merges = _learn_merges(Counter(word for sentence in sentences for word in re.findall("[a-z]+", sentence)))
    merged = ["".join(pair) for pair in merges]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())  # its order is random
    symbols = [
        "<|startoftext|>",
        "<|endoftext|>",
        *alphabet,
        *(f"{letter}</w>" for letter in alphabet),
        *merged,
    ]
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def _learn_merges(words: Counter[str]) -> list[tuple[str, str]]:
    """Byte pair encoding (Sennrich et al., 2016, arXiv:1508.07909) until each word is one symbol.

    The trainer of `tokenizers` breaks ties differently in each run, but a checkpoint's embeddings need one
    fixed order.
    """
    spellings = {word: [*word[:-1], f"{word[-1]}</w>"] for word in words}
    merges: list[tuple[str, str]] = []
    while True:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in spellings.items():
            for pair in pairwise(symbols):
                pairs[pair] += words[word]
        if not pairs:
            return merges
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for symbols in spellings.values():
            for at in reversed(range(len(symbols) - 1)):
                if tuple(symbols[at : at + 2]) == best:
                    symbols[at : at + 2] = ["".join(best)]


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """input_ids (B, 77) → embeddings (B, 77, 128)."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def build_autoencoder() -> AutoencoderKL:
    """pixels (B, 3, 256, 256) in −1…1 ↔ latents (B, 4, 32, 32), of unit variance, so that no scaling is
    needed.

    It has four groups of channels, so that `autoencoder.set_linear` can pass a picture unchanged through the
    last normalisation of both halves.
    """
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=RESOLUTION,
        scaling_factor=1.0,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def build_unet() -> UNet2DConditionModel:
    """[z_t, mask, conditioning] (B, 9, 32, 32), t (B,), embeddings (B, 77, 128) → v (B, 4, 32, 32).

    Untrained it predicts v = −conditioning, which at the last timestep means the composite itself. So it only
    learns the changes by the scene's light; from random weights it needs hours until it can copy a picture.

    The caption has two inputs: each token by cross attention, and the whole caption, with the timestep, as
    scales and shifts of every block (Perez et al., 2018, arXiv:1709.07871). "From the left" concerns the
    whole picture, and cross attention alone was slow to learn it.
    """
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=9,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        attention_head_dim=4,  # diffusers reads it as the number of heads
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
        resnet_time_scale_shift="scale_shift",
    )
    _pass_conditioning(unet)
    return unet


@torch.no_grad()
def _pass_conditioning(unet: Any) -> None:
    """Pass the conditioning, negated, through the outermost skip connection to the output.

    Each of the first four groups of the last normalisation holds c, −c and a pair of constants ±HIGH.
    Compared with those the variance of the rest is negligible, so that the normalisation only divides by a
    known number; silu(x) − silu(−x) = x cancels the activation.
    """
    high, channels = 8.0, unet.conv_in.out_channels
    size = channels // unet.conv_norm_out.num_groups
    block = unet.up_blocks[-1].resnets[-1]
    for convolution in (block.conv2, block.conv_shortcut):
        convolution.weight[: 4 * size] = 0
        convolution.bias[: 4 * size] = 0
    unet.conv_out.weight.zero_()
    unet.conv_out.bias.zero_()
    deviation = high * (2 / size) ** 0.5
    for k in range(4):
        plus, minus, *constants = range(k * size, k * size + 4)
        for channel in (plus, minus, *constants):
            unet.conv_in.weight[channel] = 0
            unet.conv_in.bias[channel] = 0
            block.conv_shortcut.weight[channel, block.conv_shortcut.in_channels - channels + channel] = 1
        for sign, channel, constant in zip((1, -1), (plus, minus), constants, strict=True):
            unet.conv_in.weight[channel, 5 + k, 1, 1] = sign
            unet.conv_in.bias[constant] = sign * high
            unet.conv_out.weight[k, channel, 1, 1] = -sign * deviation


def build_scheduler() -> DDIMScheduler:
    """v-prediction, zero terminal signal-to-noise ratio, trailing timesteps.

    It is noisier than Stable Diffusion's. The composite contains nearly everything, so each of a keyframe's
    four steps (ᾱ at most 0.11) can predict from it alone. With Stable Diffusion's 0.65 the last step had to
    separate noise from the picture; so small a network does that badly, and noise was left all over the
    picture.
    """
    return DDIMScheduler(
        beta_start=0.008,
        beta_end=0.016,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,  # trailing steps have none; diffusers warns of any other number
        clip_sample=False,
    )


def build_pipeline(seed: int) -> StableDiffusionInpaintPipeline:
    """All parts with seeded random weights, in float32."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(corpus())
    return StableDiffusionInpaintPipeline(
        vae=build_autoencoder(),
        text_encoder=build_text_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=build_unet(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


# The model paints the scene's light; its details finer than `relight_sigma` pixels are only blotches. Folds
# in a photograph are deeper than in a render's neutral light, by `detail_gain`
# (pipeline/light/relighting.py).
# The light reader (training/scene_light) knows the light's colour and level, and the diffused picture adds a
# share of its shading: to a keyframe a tenth, which is as near to path-traced photographs as a quarter, and
# nearer to `live`. That one does without the picture: so an answer costs neither VAE nor UNet.
# A keyframe takes one step, since two and four give the same (`python -m benchmarks.photographs.steps`), and
# no decoder, since a tenth of coarse shading is all that is taken of its picture.
def _lit(picture_share: float, **more: str) -> dict[str, Any]:
    return {"picture_share": picture_share, "detail_gain": 0.7, **more}


MODES: dict[str, dict[str, Any]] = {
    "keyframe": {
        "steps": 1,
        "relight_sigma": 3.0,
        "detail_gain": 1.15,
        "scene_light": _lit(0.1, decoder="linear"),
    },
    "capture": {"steps": 25, "relight_sigma": 2.0, "detail_gain": 1.4, "scene_light": _lit(0.25)},
    "live": {"steps": 1, "relight_sigma": 3.0, "detail_gain": 1.15, "scene_light": _lit(0.0)},
}
# Beyond this share of the schedule so small a network mistakes its own errors for the scene.
DENOISING_END = 0.5


def read_checkpoint(folder: Path) -> StableDiffusionInpaintPipeline:
    """A checkpoint of this kind, in float32. Raises FileNotFoundError if the folder has none."""
    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(f"there is no checkpoint in {folder}: it has no model_index.json")
    pipeline: StableDiffusionInpaintPipeline = StableDiffusionInpaintPipeline.from_pretrained(
        folder, dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    return pipeline


def write_checkpoint(pipeline: StableDiffusionInpaintPipeline, folder: Path) -> None:
    """Write `pipeline` as float16 safetensors, and `pipeline.json`, which says how it is used."""
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    pipeline.to(dtype=torch.float32)
    recipe = {
        "scheduler": "DDIMScheduler",
        "strength": 1.0,
        "guidance_scale": 1.0,
        "denoising_end": DENOISING_END,
    }
    use = {
        "resolution": [RESOLUTION, RESOLUTION],
        "conditioning": "composite",
        "prompt": PROMPT,
        "negative_prompt": "",
    } | {mode: recipe | own for mode, own in MODES.items()}
    (folder / "pipeline.json").write_text(json.dumps(use, indent=2) + "\n")
