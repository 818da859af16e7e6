"""Checks and loads a checkpoint of the Stable-Diffusion-inpainting class: a diffusers folder or one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line
from export.files import check_text, other_component, read_json, read_part
from export.network import load_network
from export.scheduler_file import SCHEDULER, load_scheduler
from export.weights import find_weights
from families.sd_inpainting.single_file import load_single_file

COMPONENTS = {
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
}
NETWORKS = ("text_encoder", "unet", "vae")


@dataclass(frozen=True)
class Checkpoint:
    """The networks in float32 on the CPU, the tokenizer, the scheduler and the folder they came from."""

    folder: Path
    text_encoder: Any
    tokenizer: Any
    unet: Any
    vae: Any
    scheduler: Any


def check_folder(folder: Path) -> None:
    """Raises ExportError, in one sentence, if it is not of the class, or if a file is missing or broken."""
    _check_class(folder)
    _check_files(folder)


def _check_class(folder: Path) -> None:
    index = read_json(folder / "model_index.json")
    if other := other_component(index, COMPONENTS):
        part, found = other
        raise ExportError(
            f"{folder} is a {index.get('_class_name')}, not of the Stable-Diffusion-inpainting class: "
            f"its {part} is {found or 'missing'} instead of {COMPONENTS[part]}"
        )
    channels = read_part(folder, "unet/config.json").get("in_channels")
    if channels != 9:
        raise ExportError(
            f"{folder} is not an inpainting checkpoint: its UNet has {channels} input channels, and "
            "inpainting needs 9 (latents, mask, conditioning latents)"
        )


def _check_files(folder: Path) -> None:
    """Raises ExportError, which names the file, if one is missing, empty, cut off or a pointer to another."""
    for part in NETWORKS:
        read_part(folder, f"{part}/config.json")
    read_part(folder, SCHEDULER)
    for path in sorted((*folder.glob("scheduler/*.json"), *folder.glob("tokenizer/*.json"))):
        read_json(path)
    tokenizer = folder / "tokenizer"
    if not (tokenizer / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (tokenizer / name).is_file():
                raise ExportError(f"{folder} is incomplete: {tokenizer / name} is missing")
        check_text(tokenizer / "merges.txt")
    for part in NETWORKS:
        find_weights(folder, part)


def load(checkpoint: Path) -> Checkpoint:
    """Load the networks with diffusers. Raises ExportError, which names the broken file."""
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for it in (logging, transformers_logging):
        it.set_verbosity_error()
        it.disable_progress_bar()
    pipeline = load_single_file(checkpoint) if checkpoint.is_file() else _load_folder(checkpoint)
    _limit_tokens(checkpoint, pipeline.tokenizer, pipeline.text_encoder)
    return Checkpoint(
        folder=checkpoint,
        text_encoder=pipeline.text_encoder.eval(),
        tokenizer=pipeline.tokenizer,
        unet=pipeline.unet.eval(),
        vae=pipeline.vae.eval(),
        scheduler=pipeline.scheduler,
    )


def _load_folder(folder: Path) -> Any:
    import diffusers
    from transformers import CLIPTextModel, CLIPTokenizer

    unet = load_network(diffusers.UNet2DConditionModel, folder, "unet", low_cpu_mem_usage=False)
    vae = load_network(diffusers.AutoencoderKL, folder, "vae", low_cpu_mem_usage=False)
    text_encoder = load_network(CLIPTextModel, folder, "text_encoder")
    # The pipeline mends outdated configurations, and cannot compare a pair with a number.
    size = unet.config.sample_size
    if not isinstance(size, int):
        unet.register_to_config(sample_size=max(size) if size else 64)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        pipeline = diffusers.StableDiffusionInpaintPipeline(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=load_scheduler(folder, "DDIMScheduler"),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    except Exception as error:  # four libraries raise their own errors for a broken file
        raise ExportError(
            f"{folder} does not load as a StableDiffusionInpaintPipeline: {first_line(error)}"
        ) from error
    if not isinstance(size, int) and size:
        unet.register_to_config(sample_size=size)
    return pipeline


def _limit_tokens(checkpoint: Path, tokenizer: Any, text_encoder: Any) -> None:
    """Prompts are as long as the tokenizer says, and never longer than the text encoder allows.

    Without a length in its configuration, transformers says 10^30.
    """
    longest = text_encoder.config.max_position_embeddings
    tokenizer.model_max_length = min(tokenizer.model_max_length or longest, longest)
    if len(tokenizer) > text_encoder.config.vocab_size:
        raise ExportError(
            f"{checkpoint}: the tokenizer has {len(tokenizer)} words and the text encoder "
            f"{text_encoder.config.vocab_size}: they do not belong together"
        )
