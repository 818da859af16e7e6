"""Checks and loads a checkpoint of the SDXL-inpainting class: a diffusers folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ExportError
from export.files import other_component, read_json, read_part
from export.network import load_network
from export.scheduler_file import SCHEDULER, load_scheduler
from export.weights import find_weights

if TYPE_CHECKING:  # imports torch, and every export asks this family whether a checkpoint is its own
    from families.sdxl_text import Text

COMPONENTS = {
    "text_encoder": "CLIPTextModel",
    "text_encoder_2": "CLIPTextModelWithProjection",
    "tokenizer": "CLIPTokenizer",
    "tokenizer_2": "CLIPTokenizer",
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
}
NETWORKS = ("text_encoder", "text_encoder_2", "unet", "vae")
# The second text encoder, as the authors' code names it.
_SINGLE_FILE = "conditioner.embedders.1."
CONFIGURATION = ("model_index.json", "pipeline.json", "scheduler/*", "tokenizer/*", "tokenizer_2/*")


@dataclass(frozen=True)
class Checkpoint:
    """The networks in float32 on the CPU, and the values of the scheduler's configuration.

    zero_negative: whether an empty negative prompt counts as zeros instead of being read by the encoders.
    """

    text: "Text"
    unet: Any
    vae: Any
    scheduler_config: dict[str, Any]
    zero_negative: bool


def recognise(folder: Path) -> bool:
    """Whether it is a folder of SDXL's class, with its two text encoders, that no other family claims; or a
    single file of the class, which `check` refuses by its name."""
    if folder.is_file():
        return _is_single_file(folder)
    index_path = folder / "model_index.json"
    if not index_path.is_file():
        return False
    return "text_encoder_2" in read_json(index_path) and not (folder / "unet_encoder").is_dir()


def check(folder: Path) -> None:
    """Raises ExportError, in one sentence, if a part is missing, broken or of another kind."""
    from families.sdxl_text import TOKENIZERS

    if folder.is_file():
        raise ExportError(
            f"{folder} is an SDXL checkpoint in a single file, and this family is exported from folders: on "
            "a machine with a connection, this makes a folder of it, to give as CHECKPOINT: python -c 'from "
            "diffusers import StableDiffusionXLInpaintPipeline as It; "
            f'It.from_single_file("{folder}").save_pretrained("{folder.with_suffix("")}")\''
        )
    index = read_json(folder / "model_index.json")
    if other := other_component(index, COMPONENTS):
        part, found = other
        raise ExportError(
            f"{folder} is a {index.get('_class_name')}, and SDXL inpainting has a {COMPONENTS[part]} as its "
            f"{part}, not {found or 'none'}"
        )
    if index.get("requires_aesthetics_score"):
        raise ExportError(
            f"{folder} is an SDXL refiner (requires_aesthetics_score in its model_index.json), which paints "
            "no picture of its own: give the base, such as diffusers/stable-diffusion-xl-1.0-inpainting-0.1"
        )
    channels = read_part(folder, "unet/config.json").get("in_channels")
    if channels != 9:
        raise ExportError(
            f"{folder} is an SDXL checkpoint, but not for inpainting: its UNet has {channels} input "
            "channels, and inpainting needs 9 (latents, mask, conditioning latents)"
        )
    for part in NETWORKS:
        read_part(folder, f"{part}/config.json")
        find_weights(folder, part)
    read_part(folder, SCHEDULER)
    for name in TOKENIZERS:
        for path in sorted((folder / name).glob("*.json")):
            read_json(path)


def load(folder: Path) -> Checkpoint:
    """Raises ExportError, which names the broken file."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from families.sdxl_text import load_text

    index = read_json(folder / "model_index.json")
    return Checkpoint(
        load_text(folder),
        load_network(UNet2DConditionModel, folder, "unet", low_cpu_mem_usage=False).eval(),
        load_network(AutoencoderKL, folder, "vae", low_cpu_mem_usage=False).eval(),
        dict(load_scheduler(folder, "EulerDiscreteScheduler").config),
        bool(index.get("force_zeros_for_empty_prompt", True)),
    )


def _is_single_file(path: Path) -> bool:
    from safetensors import safe_open

    try:
        with safe_open(path, "np") as file:
            return any(name.startswith(_SINGLE_FILE) for name in file.keys())  # noqa: SIM118
    except Exception:  # not of safetensors, or broken: another family says what is wrong with it
        return False
