"""`pipeline.json`: how a checkpoint is meant to be used. DESIGN: resolution, conditioning, prompts, modes."""

import json
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from export.errors import ExportError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


# (height, width) in pixels
Resolution = tuple[Annotated[int, Field(ge=64, multiple_of=8)], Annotated[int, Field(ge=64, multiple_of=8)]]
# Several resolutions share one graph, whose height and width are then dynamic in steps of what every
# public UNet halves: 8 latents, 64 pixels.
STEP = 64


class ModeConfig(_Strict):
    """How one mode denoises."""

    scheduler: str = Field(description="class name of a diffusers scheduler")
    steps: int = Field(ge=1, le=100, description="executed steps")
    strength: float = Field(gt=0, le=1, description="share of the schedule that runs")
    guidance_scale: float = Field(ge=0, le=30, description="classifier-free guidance; none at 1 or below")
    relight_sigma: float = Field(
        0, ge=0, le=64, description="take only light coarser than so many pixels; 0: the picture as it is"
    )
    detail_gain: float = Field(
        1,
        ge=0,
        le=4,
        description="of the render's folds, which are finer than 3 relight_sigma; 1: as they are drawn",
    )
    denoising_end: float = Field(
        1, gt=0, le=1, description="share of the schedule after which the predicted z_0 is the answer"
    )
    resolution: Resolution | None = Field(
        None, description="the networks' for this mode; by default the file's"
    )
    unet: Literal["unet", "unet_fast"] | None = Field(
        None, description="`unet_fast` has the LoRAs; by default keyframes use it where there are any"
    )

    @field_validator("scheduler")
    @classmethod
    def _is_a_diffusers_scheduler(cls, name: str) -> str:
        import diffusers  # takes seconds, and an export with nothing to do needs it not

        if not isinstance(getattr(diffusers, name, None), type) or not name.endswith("Scheduler"):
            raise ValueError(f"diffusers has no scheduler named {name!r}")
        return name

    @model_validator(mode="after")
    def _can_end_early(self) -> "ModeConfig":
        if self.denoising_end < 1 and not _predicts_z_0(self.scheduler):
            raise ValueError(f"{self.scheduler} does not tell the z_0 it predicts: denoising_end must be 1")
        return self


def _predicts_z_0(scheduler: str) -> bool:
    import diffusers

    returned = get_args(get_type_hints(getattr(diffusers, scheduler).step)["return"])
    return any("pred_original_sample" in getattr(kind, "__annotations__", {}) for kind in returned)


class PipelineConfig(_Strict):
    """The whole file.

    resolution: (height, width) in pixels of the square or rectangle that the networks work on, unless a mode
        has its own.
    conditioning: `masked`: the conditioning image has the masked region removed, as public inpainting
        checkpoints expect; `composite`: it is the render composited on the frame.
    prompt: `{fabric}` in it stands for the fabric's name.
    """

    resolution: Resolution
    conditioning: Literal["masked", "composite"]
    prompt: str
    negative_prompt: str = ""
    keyframe: ModeConfig
    capture: ModeConfig

    @property
    def resolutions(self) -> list[Resolution]:
        """The modes', each once: the networks' resolution buckets."""
        return list(
            dict.fromkeys(mode.resolution or self.resolution for mode in (self.keyframe, self.capture))
        )

    @model_validator(mode="after")
    def _several_resolutions_fit_one_graph(self) -> "PipelineConfig":
        odd = [side for resolution in self.resolutions for side in resolution if side % STEP]
        if len(self.resolutions) > 1 and odd:
            raise ValueError(
                f"with a resolution for each mode, every side is a multiple of {STEP}, and {odd[0]} is not"
            )
        return self

    def resolved(self, fast: bool) -> "PipelineConfig":
        """Each mode with its UNet and its resolution named.

        fast: whether there is a UNet with LoRAs. Raises ExportError where a mode wants one and there is none.
        """
        named = {}
        for mode, default in (("keyframe", "unet_fast" if fast else "unet"), ("capture", "unet")):
            config = getattr(self, mode)
            if config.unet == "unet_fast" and not fast:
                raise ExportError(
                    f"pipeline.json's {mode} wants unet_fast, the UNet with LoRAs: give LORAS=path:weight"
                )
            named[mode] = config.model_copy(
                update={"unet": config.unet or default, "resolution": config.resolution or self.resolution}
            )
        return self.model_copy(update=named)


def default_config(sample_size: int) -> PipelineConfig:
    """For a checkpoint without a `pipeline.json`, such as a public inpainting checkpoint.

    sample_size: the UNet's own, in latent pixels.
    """
    return PipelineConfig(
        resolution=(8 * sample_size, 8 * sample_size),
        conditioning="masked",
        prompt="a photograph of a person wearing a {fabric} jacket, natural light, realistic folds",
        negative_prompt="drawing, render, flat, blurry, deformed",
        keyframe=ModeConfig(scheduler="UniPCMultistepScheduler", steps=4, strength=0.5, guidance_scale=1),
        capture=ModeConfig(scheduler="DPMSolverMultistepScheduler", steps=25, strength=0.6, guidance_scale=5),
    )


def read_config(checkpoint: Path, sample_size: int) -> PipelineConfig:
    """The checkpoint's `pipeline.json`, or the default. Raises ExportError where the file is not right."""
    path = checkpoint / "pipeline.json"
    if not path.exists():
        return default_config(sample_size)
    try:
        return PipelineConfig.model_validate(json.loads(path.read_text()))
    except json.JSONDecodeError as error:
        raise ExportError(f"{path} is not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "resolution"
        raise ExportError(f"{path}: {where}: {first['msg']}") from error
