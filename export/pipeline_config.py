"""A checkpoint's `pipeline.json`, checked; a default if the checkpoint has none."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_type_hints

from pydantic import ValidationError

from export.errors import ExportError, first_line
from export.files import read_json
from pipeline.recipe import Conditioning, Framing, PipelineConfig, Recipe, explain

LATENT = 8  # pixels of a side for each latent of a VAE
FAST = "_fast"


@dataclass(frozen=True)
class Supported:
    """The values that a family's conditioner knows: it would ignore others, or fail at every request.

    scene_light: whether a mode may have one.
    multiple: every side of a resolution is a multiple of so many pixels.
    """

    conditioning: Collection[str] = get_args(Conditioning)
    framing: Collection[str] = get_args(Framing)
    scene_light: bool = True
    multiple: int = LATENT


# Of the families that do not paint the render: their garment has a picture of its own.
TRY_ON = Supported(conditioning=("person",), scene_light=False)


def read_config(
    checkpoint: Path, default: Callable[[], PipelineConfig], supported: Supported
) -> PipelineConfig:
    """The checkpoint's `pipeline.json`, or the family's default.

    Raises ExportError if the file is not valid, or asks for what the family does not support.
    """
    path = checkpoint / "pipeline.json"
    if not path.is_file():
        return default()
    try:
        config = PipelineConfig.model_validate(read_json(path))
    except ValidationError as error:
        raise ExportError(f"{path}: {explain(error)}") from error
    if fault := _unsupported(config, supported):
        raise ExportError(f"{path}: {fault}")
    for mode, recipe in config.modes.items():
        if fault := _scheduler_fault(recipe):
            raise ExportError(f"{path}: {mode}.{fault}")
    return config


def with_denoisers(config: PipelineConfig, stages: Collection[str], fast: bool) -> PipelineConfig:
    """A copy of `config` in which keyframes use the denoiser with LoRAs, unless the file names another one.

    stages: the names of the checkpoint's stages.
    fast: whether there are LoRAs. Raises ExportError if a mode's denoiser is not exported.
    """
    quick = {name: recipe for name, recipe in config.modes.items() if name != "capture"}
    for name, recipe in quick.items():
        if fast and not _names_its_denoiser(recipe):
            quick[name] = recipe.model_copy(update={"unet": fast_name(recipe.unet)})
    config = config.model_copy(update=quick)
    for mode, recipe in config.modes.items():
        base = recipe.unet.removesuffix(FAST)
        if base not in stages:
            raise ExportError(
                f"pipeline.json's {mode} uses {recipe.unet}, and the denoisers are {', '.join(stages)}"
            )
        if recipe.unet != base and not fast:
            raise ExportError(
                f"pipeline.json's {mode} uses {recipe.unet}, the {base} with LoRAs: give LORAS=path:weight"
            )
    return config


def _names_its_denoiser(recipe: Recipe) -> bool:
    """Whether the recipe decides about LoRAs: by the name of a denoiser with them, or by Stable Diffusion's
    `unet`, which is the default and so is only named on purpose. The name of a family's own decides nothing,
    since its recipes must name it.
    """
    ordinary = Recipe.model_fields["unet"].default
    return recipe.unet.endswith(FAST) or (recipe.unet == ordinary and "unet" in recipe.model_fields_set)


def fast_name(denoiser: str) -> str:
    """The stage of that denoiser with LoRAs."""
    return f"{denoiser}{FAST}"


def _unsupported(config: PipelineConfig, supported: Supported) -> str | None:
    """What the family does not support, or None."""
    for resolution in config.resolutions:
        if odd := next((side for side in resolution if side % supported.multiple), None):
            return f"resolution: {odd} is not a multiple of {supported.multiple}"
    for name in ("conditioning", "framing"):
        value, known = getattr(config, name), getattr(supported, name)
        if value not in known:
            return f"{name} is {value!r}; this family of checkpoints supports {' and '.join(known)}"
    lit = [mode for mode, recipe in config.modes.items() if recipe.scene_light]
    if lit and not supported.scene_light:
        return f"{lit[0]}.scene_light: this family of checkpoints has no light reader"
    return None


def _scheduler_fault(recipe: Recipe) -> str | None:
    """Why a recipe's scheduler cannot be used, or None."""
    # Takes seconds, and an export with nothing to do does not need it.
    from pipeline.denoising.schedule import OWN, sampler_class

    name = recipe.scheduler
    if name in OWN:
        return None
    if not isinstance(sampler_class(name), type) or not name.endswith("Scheduler"):
        return f"scheduler: diffusers has no scheduler named {name!r}"
    try:
        returned = get_args(get_type_hints(sampler_class(name).step)["return"])
    except (
        Exception
    ) as error:  # a stand-in for a scheduler whose library is missing, or types that are not there
        return f"scheduler: {name} cannot be used: {first_line(error)}"
    predicts_z_0 = any("pred_original_sample" in getattr(kind, "__annotations__", {}) for kind in returned)
    if recipe.denoising_end < 1 and not predicts_z_0:
        return f"denoising_end: {name} does not return its prediction of z_0: denoising_end must be 1"
    return None
