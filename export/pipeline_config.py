"""A checkpoint's `pipeline.json`, checked; a default if the checkpoint has none."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args, get_type_hints

from pydantic import ValidationError

from export.errors import ExportError, first_line
from export.files import read_json
from pipeline.recipe import PipelineConfig, Recipe, explain


def default_config(sample_size: int | Sequence[int]) -> PipelineConfig:
    """The configuration for a checkpoint without a `pipeline.json`, such as a public inpainting checkpoint.

    sample_size: the UNet's, in latent pixels; a pair is (height, width).
    """
    height, width = (sample_size, sample_size) if isinstance(sample_size, int) else sample_size
    resolution = (8 * height, 8 * width)
    return PipelineConfig(
        resolution=resolution,
        conditioning="masked",
        prompt="a photograph of a person wearing a {fabric} jacket, natural light, realistic folds",
        negative_prompt="drawing, render, flat, blurry, deformed",
        keyframe=Recipe(
            scheduler="UniPCMultistepScheduler",
            steps=4,
            strength=0.5,
            guidance_scale=1,
            resolution=resolution,
        ),
        capture=Recipe(
            scheduler="DPMSolverMultistepScheduler",
            steps=25,
            strength=0.6,
            guidance_scale=5,
            resolution=resolution,
        ),
    )


def read_config(checkpoint: Path, sample_size: int | Sequence[int]) -> PipelineConfig:
    """The checkpoint's `pipeline.json`, or the default. Raises ExportError if the file is not valid."""
    path = checkpoint / "pipeline.json"
    if not path.exists():
        try:
            return default_config(sample_size)
        except (TypeError, ValueError) as error:
            raise ExportError(
                f"{checkpoint}: its UNet's sample_size is {sample_size!r}, for which there is no default: "
                "write a pipeline.json with a resolution"
            ) from error
    try:
        config = PipelineConfig.model_validate(read_json(path))
    except ValidationError as error:
        raise ExportError(f"{path}: {explain(error)}") from error
    for mode, recipe in config.modes.items():
        if fault := _scheduler_fault(recipe):
            raise ExportError(f"{path}: {mode}.{fault}")
    return config


def with_unets(config: PipelineConfig, fast: bool) -> PipelineConfig:
    """A copy of `config` in which keyframes use the UNet with LoRAs, unless the file names another UNet.

    fast: whether there is a UNet with LoRAs. Raises ExportError if a mode needs one and there is none.
    """
    keyframe = config.keyframe
    if fast and "unet" not in keyframe.model_fields_set:
        keyframe = keyframe.model_copy(update={"unet": "unet_fast"})
    for mode, recipe in config.modes.items():
        if recipe.unet == "unet_fast" and not fast:
            raise ExportError(
                f"pipeline.json's {mode} uses unet_fast, the UNet with LoRAs: give LORAS=path:weight"
            )
    return config.model_copy(update={"keyframe": keyframe})


def _scheduler_fault(recipe: Recipe) -> str | None:
    """Why a recipe's scheduler cannot be used, or None."""
    import diffusers  # takes seconds, and an export with nothing to do does not need it

    name = recipe.scheduler
    if not isinstance(getattr(diffusers, name, None), type) or not name.endswith("Scheduler"):
        return f"scheduler: diffusers has no scheduler named {name!r}"
    try:
        returned = get_args(get_type_hints(getattr(diffusers, name).step)["return"])
    except (
        Exception
    ) as error:  # a stand-in for a scheduler whose library is missing, or types that are not there
        return f"scheduler: {name} cannot be used: {first_line(error)}"
    predicts_z_0 = any("pred_original_sample" in getattr(kind, "__annotations__", {}) for kind in returned)
    if recipe.denoising_end < 1 and not predicts_z_0:
        return f"denoising_end: {name} does not return its prediction of z_0: denoising_end must be 1"
    return None
