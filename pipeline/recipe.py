"""A checkpoint's `pipeline.json`: how it is used, with one recipe for each mode."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

# (height, width) in pixels. Each family allows the multiples of a number of its own.
Resolution = tuple[Annotated[int, Field(ge=64, multiple_of=4)], Annotated[int, Field(ge=64, multiple_of=4)]]
# Several resolutions share one graph, whose height and width are then dynamic. Public UNets halve their
# latents three times, so the steps are 8 latents, or 64 pixels.
RESOLUTION_STEP = 64
# Timesteps that the networks of this class were trained on.
_LONGEST_SCHEDULE = 1000


Conditioning = Literal["masked", "composite", "person"]
Framing = Literal["garment", "cover", "contain"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SceneLight(_Strict):
    """How the light that the light reader has read is laid on the render."""

    picture_share: float = Field(
        0, ge=0, le=1, description="how much of the shading of the model's picture is added to it"
    )
    decoder: Literal["vae", "linear"] = Field(
        "vae",
        description="what makes that picture of the latents: the VAE's decoder; or the inverse of an encoder "
        "that is linear in patches, in a thousandth of the time, since only coarse light is taken",
    )
    detail_gain: float = Field(1, ge=0, le=4, description="takes the place of the mode's")


class Recipe(_Strict):
    """The denoising of one mode."""

    scheduler: str = Field(
        description="class name of a diffusers scheduler, or of one in pipeline.denoising.schedule.OWN"
    )
    steps: int = Field(ge=1, le=100, description="executed steps")
    strength: float = Field(
        gt=0,
        le=1,
        description="share of the schedule that runs; at 1 it begins with pure noise",
    )
    guidance_scale: float = Field(
        ge=0, le=30, description="of classifier-free guidance (Ho & Salimans, 2022); 1 or less means none"
    )
    resolution: Resolution = Field((512, 512), description="of the networks; default: the file's own")
    relight_sigma: float = Field(
        0, ge=0, le=64, description="only light coarser than this many pixels is used; 0: the picture itself"
    )
    detail_gain: float = Field(
        1,
        ge=0,
        le=4,
        description="of the render's folds, details finer than 3 relight_sigma; 1 keeps them",
    )
    scene_light: SceneLight | None = Field(
        None,
        description="the garment gets the light of the scene, which the checkpoint's light reader reads; "
        "without it, and for a request with a prompt of its own, that of the model's picture",
    )
    unet: str = Field(
        "unet",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Triton model that predicts; one that ends in _fast has the export's LoRAs and, if there "
        "are any, is the default of keyframes",
    )
    denoising_end: float = Field(
        1, gt=0, le=1, description="share of the schedule after which the predicted z_0 is used"
    )
    eta: float = Field(
        0, ge=0, le=1, description="noise that DDIM adds in each step; 0: none, 1: as much as DDPM"
    )
    unguided_last_steps: int = Field(
        0, ge=0, le=100, description="steps at the end of a schedule that are done without guidance"
    )

    @model_validator(mode="after")
    def _is_no_longer_than_the_longest_schedule(self) -> Self:
        if self.steps > self.strength * self.denoising_end * _LONGEST_SCHEDULE:
            raise ValueError(
                f"{self.steps} steps at strength {self.strength:g} need a schedule of more than "
                f"{_LONGEST_SCHEDULE} steps: use fewer steps or a higher strength"
            )
        return self

    @model_validator(mode="after")
    def _lays_the_scenes_light_on_a_render(self) -> Self:
        if self.scene_light and not self.relight_sigma:
            raise ValueError("a scene_light is laid on the render, which takes a relight_sigma above 0")
        return self

    def override(self, **chosen: Any) -> "Recipe":
        """This recipe with a request's choices; None keeps the recipe's own value.

        Raises ValueError with one sentence if a choice is not allowed.
        """
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if not chosen:
            return self
        try:
            return Recipe.model_validate(self.model_dump() | chosen)
        except ValidationError as error:
            raise ValueError(explain(error)) from error

    def without_picture(self) -> "Recipe":
        """The cheapest recipe that still dresses: in the light of the scene alone, without any step.

        One step where there is no light reader, or where the family paints all the same.
        """
        scene_light = self.scene_light and self.scene_light.model_copy(update={"picture_share": 0.0})
        return self.model_copy(update={"steps": 1, "scene_light": scene_light})

    @property
    def guided(self) -> bool:
        return self.guidance_scale > 1

    @property
    def paints(self) -> bool:
        """Whether anything of the model's picture is used; the light of the scene alone needs none."""
        return self.scene_light is None or self.scene_light.picture_share > 0

    @property
    def decodes_linearly(self) -> bool:
        """Whether the model's picture is made without the VAE's decoder."""
        return self.scene_light is not None and self.scene_light.decoder == "linear"

    @property
    def laid_detail_gain(self) -> float:
        """The gain of the render's folds in the light that it gets."""
        return self.scene_light.detail_gain if self.scene_light else self.detail_gain

    @property
    def schedule_steps(self) -> int:
        """The `num_inference_steps` that executes `steps`. Of n steps diffusers executes int(n · strength),
        and this recipe the first int(… · denoising_end) of those."""
        count = self.steps
        while int(int(count * self.strength) * self.denoising_end) < self.steps:
            count += 1
        return count


class PipelineConfig(_Strict):
    """`pipeline.json` in a checkpoint.

    resolution: (height, width) in pixels that the networks work at, unless a mode has its own.
    conditioning: `masked`: the conditioning image has the masked region removed, as public inpainting
        checkpoints expect; `composite`: it is the render drawn on the frame; `person`: nothing is drawn, and
        the region is removed from the frame itself, since the garment has a picture of its own.
    framing: the part of the frame that the networks see. `garment`: the garment and some room around it;
        `cover`: as much of the frame as the resolution's aspect allows; `contain`: the whole frame, with
        black beside it.
    prompt: `{fabric}` is replaced by the fabric's name.
    live: of keyframes that are answered with a light; by default they are as other keyframes.
    """

    resolution: Resolution
    conditioning: Conditioning
    framing: Framing = "garment"
    prompt: str
    negative_prompt: str = ""
    keyframe: Recipe
    capture: Recipe
    live: Recipe | None = None

    @model_validator(mode="before")
    @classmethod
    def _give_each_mode_a_resolution(cls, data: Any) -> Any:
        """A mode without a resolution gets the file's. A null counts as absent."""
        if not isinstance(data, dict):
            return data
        modes = {}
        for mode in ("keyframe", "capture", "live"):
            if isinstance(recipe := data.get(mode), dict):
                given = {name: value for name, value in recipe.items() if value is not None}
                default = {"resolution": data["resolution"]} if "resolution" in data else {}
                modes[mode] = default | given
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
        more = {} if self.live is None else {"live": self.live}
        return {"keyframe": self.keyframe, "capture": self.capture} | more

    @property
    def keyframes_decode(self) -> bool:
        """Whether any keyframe needs the VAE's decoder."""
        live = (recipe for mode, recipe in self.modes.items() if mode != "capture")
        return any(recipe.paints and not recipe.decodes_linearly for recipe in live)

    @property
    def resolutions(self) -> list[Resolution]:
        """Every mode's resolution, without repetition."""
        return list(dict.fromkeys(recipe.resolution for recipe in self.modes.values()))


class ServedConfig(PipelineConfig):
    """The exported `pipeline.json`, which `tryon` reads: the export adds values that depend on the profile.

    family: the folder in families/ that conditions its jobs.
    settings: of the family, which validates them.
    batch_sizes: the rows of a UNet call are padded to one of these, which have CUDA graphs; empty on a CPU.
    max_live: keyframes that are processed at the same time; others wait in a queue.
    """

    family: str = "sd_inpainting"
    settings: dict[str, Any] = Field(default_factory=dict)
    batch_sizes: tuple[int, ...] = ()
    max_live: int = Field(ge=1)


def explain(error: ValidationError) -> str:
    """The first error, in one sentence: `steps is 0; it should be greater than or equal to 1`."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":  # a sentence of our own
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    value = f" is {first['input']!r}" if first["type"] not in ("missing", "extra_forbidden") else ""
    return f"{where}{value}; {first['msg'].replace('Input should', 'it should').replace('Field ', 'it is ')}"
