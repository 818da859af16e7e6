"""How a checkpoint is meant to be used: `pipeline.json`, and for each mode a recipe of its denoising."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

# (height, width) in pixels
Resolution = tuple[Annotated[int, Field(ge=64, multiple_of=8)], Annotated[int, Field(ge=64, multiple_of=8)]]
# Several resolutions share one graph, whose height and width are then dynamic in steps of what every
# public UNet halves: 8 latents, 64 pixels.
RESOLUTION_STEP = 64
# Timesteps that the networks of this class were trained on.
_LONGEST_SCHEDULE = 1000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Recipe(_Strict):
    """How one mode denoises."""

    scheduler: str = Field(description="class name of a diffusers scheduler")
    steps: int = Field(ge=1, le=100, description="executed steps")
    strength: float = Field(
        gt=0,
        le=1,
        description="share of the schedule that runs; at 1 the composite gives no first latents",
    )
    guidance_scale: float = Field(
        ge=0, le=30, description="of classifier-free guidance (Ho & Salimans, 2022); none at 1 or below"
    )
    resolution: Resolution = Field((512, 512), description="of the networks; by default the file's")
    relight_sigma: float = Field(
        0, ge=0, le=64, description="take only light coarser than so many pixels; 0: the picture as it is"
    )
    detail_gain: float = Field(
        1,
        ge=0,
        le=4,
        description="of the render's folds, which are finer than 3 relight_sigma; 1: as they are drawn",
    )
    unet: Literal["unet", "unet_fast"] = Field(
        "unet",
        description="the Triton model that predicts; unet_fast has the export's LoRAs, and keyframes use it "
        "by default where there are any",
    )
    denoising_end: float = Field(
        1, gt=0, le=1, description="share of the schedule after which the predicted z_0 is the answer"
    )

    @model_validator(mode="after")
    def _is_no_longer_than_the_longest_schedule(self) -> Self:
        if self.steps > self.strength * self.denoising_end * _LONGEST_SCHEDULE:
            raise ValueError(
                f"{self.steps} steps at strength {self.strength:g} are part of a schedule of more than "
                f"{_LONGEST_SCHEDULE}: take fewer steps or more strength"
            )
        return self

    def override(self, **chosen: Any) -> "Recipe":
        """This recipe with what a request chose; None chooses nothing.

        Raises ValueError with one sentence where a choice makes no sense.
        """
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if not chosen:
            return self
        try:
            return Recipe.model_validate(self.model_dump() | chosen)
        except ValidationError as error:
            raise ValueError(explain(error)) from error

    @property
    def guided(self) -> bool:
        return self.guidance_scale > 1

    @property
    def schedule_steps(self) -> int:
        """`num_inference_steps` for which `steps` are executed: of n, diffusers executes int(n · strength),
        and of those this recipe the first int(… · denoising_end)."""
        count = self.steps
        while int(int(count * self.strength) * self.denoising_end) < self.steps:
            count += 1
        return count


class PipelineConfig(_Strict):
    """`pipeline.json` as a checkpoint has it.

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
    keyframe: Recipe
    capture: Recipe

    @model_validator(mode="before")
    @classmethod
    def _modes_have_the_file_s_resolution(cls, data: Any) -> Any:
        """A mode's null is as good as nothing said."""
        if not isinstance(data, dict):
            return data
        modes = {}
        for mode in ("keyframe", "capture"):
            if isinstance(recipe := data.get(mode), dict):
                said = {name: value for name, value in recipe.items() if value is not None}
                default = {"resolution": data["resolution"]} if "resolution" in data else {}
                modes[mode] = default | said
        return data | modes

    @model_validator(mode="after")
    def _several_resolutions_fit_one_graph(self) -> Self:
        odd = [side for resolution in self.resolutions for side in resolution if side % RESOLUTION_STEP]
        if len(self.resolutions) > 1 and odd:
            raise ValueError(
                f"with a resolution for each mode, every side is a multiple of {RESOLUTION_STEP}, "
                f"and {odd[0]} is not"
            )
        return self

    @property
    def modes(self) -> dict[str, Recipe]:
        return {"keyframe": self.keyframe, "capture": self.capture}

    @property
    def resolutions(self) -> list[Resolution]:
        """The modes', each once: the networks' resolution buckets."""
        return list(dict.fromkeys(recipe.resolution for recipe in self.modes.values()))


class ServedConfig(PipelineConfig):
    """`pipeline.json` as `tryon` reads it: the export adds what the profile decides.

    batch_sizes: to which a UNet call's rows are padded, since these have CUDA graphs; none on a CPU.
    max_live: keyframes under way at once; the others wait for their turn.
    """

    batch_sizes: tuple[int, ...] = ()
    max_live: int = Field(ge=1)


def explain(error: ValidationError) -> str:
    """What is wrong first, in one sentence: `steps is 0; it should be greater than or equal to 1`."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":  # a sentence of our own
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    value = f" is {first['input']!r}" if first["type"] not in ("missing", "extra_forbidden") else ""
    return f"{where}{value}; {first['msg'].replace('Input should', 'it should').replace('Field ', 'it is ')}"
