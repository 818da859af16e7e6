"""Finds and loads a checkpoint: a diffusers folder or hub id of the Stable-Diffusion-inpainting class."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import ExportError

COMPONENTS = {
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
}


@dataclass(frozen=True)
class Checkpoint:
    """The networks in float32 on the CPU, the tokenizer, the scheduler and the folder they came from."""

    folder: Path
    text_encoder: Any
    tokenizer: Any
    unet: Any
    vae: Any
    scheduler: Any


def locate(checkpoint: str) -> Path:
    """The checkpoint's folder on this machine; a hub id is downloaded or found in the hub's cache.

    Raises ExportError if there is no such checkpoint, or if it is not of the class.
    """
    folder = Path(checkpoint)
    if not folder.is_dir():
        if checkpoint.startswith((".", "/")) or checkpoint.count("/") != 1:
            raise ExportError(
                f"there is no checkpoint folder {checkpoint}: give a diffusers folder or a hub id like "
                "stable-diffusion-v1-5/stable-diffusion-inpainting"
            )
        folder = _download(checkpoint)
    _check_class(folder)
    return folder


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["model_index.json", "pipeline.json", "scheduler/*", "tokenizer/*"]
    patterns += [
        f"{part}/*.{kind}" for part in ("text_encoder", "unet", "vae") for kind in ("json", "safetensors")
    ]
    try:
        return Path(
            snapshot_download(hub_id, allow_patterns=patterns, ignore_patterns=["*.fp16.safetensors"])
        )
    except Exception as error:  # the hub's client raises many kinds of errors, from five libraries
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(f"cannot download the checkpoint {hub_id} from the hub: {reason}") from error


def _check_class(folder: Path) -> None:
    index_path = folder / "model_index.json"
    if not index_path.exists():
        raise ExportError(f"{folder} is not a diffusers folder: it has no model_index.json")
    index = json.loads(index_path.read_text())
    for part, wanted in COMPONENTS.items():
        found = (index.get(part) or [None, None])[1]
        if not found or found.removesuffix("Fast") != wanted:
            raise ExportError(
                f"{folder} is a {index.get('_class_name')}, not of the Stable-Diffusion-inpainting class: "
                f"its {part} is {found or 'missing'} instead of {wanted}"
            )
    channels = _config(folder, "unet").get("in_channels")
    if channels != 9:
        raise ExportError(
            f"{folder} is not an inpainting checkpoint: its UNet has {channels} input channels, and "
            "inpainting needs 9 (latents, mask, conditioning latents)"
        )


def _config(folder: Path, part: str) -> dict[str, Any]:
    path = folder / part / "config.json"
    if not path.exists():
        raise ExportError(f"{folder} is incomplete: {path} is missing")
    config: dict[str, Any] = json.loads(path.read_text())
    return config


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of the checkpoint's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def load(folder: Path) -> Checkpoint:
    """Load the networks with diffusers. Raises ExportError if a file is missing or broken."""
    import torch
    from diffusers import StableDiffusionInpaintPipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        pipeline = StableDiffusionInpaintPipeline.from_pretrained(
            folder,
            dtype=torch.float32,
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
            requires_safety_checker=False,
            low_cpu_mem_usage=False,  # it needs `accelerate`, and saves nothing here
            local_files_only=True,
        )
    except Exception as error:  # four libraries raise their own errors for a broken file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(f"{folder} does not load as a StableDiffusionInpaintPipeline: {reason}") from error
    return Checkpoint(
        folder=folder,
        text_encoder=pipeline.text_encoder.eval(),
        tokenizer=pipeline.tokenizer,
        unet=pipeline.unet.eval(),
        vae=pipeline.vae.eval(),
        scheduler=pipeline.scheduler,
    )
