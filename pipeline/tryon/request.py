"""The options of a request: everything but its pictures and its pose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InvalidInput
from pipeline.garment.region import CATEGORIES
from pipeline.recipe import Recipe

# The default of each mode.
OUTPUT_FORMATS = {"keyframe": "jpeg", "capture": "png", "batch": "png", "video": "jpeg"}
_OF_CAPTURES = ("capture", "batch")
LIGHT = "light"


@dataclass(frozen=True)
class TryonRequest:
    """
    live: whether it is a keyframe, for which somebody waits in real time. A film's frame (mode `video`) has
        the recipes of keyframes, but waits for them, as captures do.
    patient: whether it is a batch's capture (mode `batch`), which waits for everything else.
    category: of the garment, one of pipeline.garment.region.CATEGORIES.
    session: keyframes with the same session name share their light.
    output_format: `jpeg` or `png`; or `light`, if the recipe takes the light of the model's picture.
    preview_interval: a capture's steps from one preview to the next; None means no previews.
    """

    recipe: Recipe
    live: bool
    patient: bool
    session: str | None
    render_fit: str
    category: str
    fabric: str
    prompt: str | None
    seed: int
    output_format: str
    preview_interval: int | None

    @classmethod
    def read(cls, value: Callable[[str], Any], recipes: Mapping[str, Recipe]) -> "TryonRequest":
        """The options of a request. Raises InvalidInput.

        value: returns the value of a one-element input by its name; None if the request does not have it.
        """
        mode = value("mode")
        if mode not in OUTPUT_FORMATS:
            raise InvalidInput(f"mode is {mode!r}; it must be one of {', '.join(OUTPUT_FORMATS)}")
        output_format = value("output_format") or OUTPUT_FORMATS[mode]
        if output_format not in (*OUTPUT_FORMATS.values(), LIGHT):
            raise InvalidInput(f"output_format is {output_format!r}; it must be jpeg, png or light")
        default = recipe = recipes["capture" if mode in _OF_CAPTURES else "keyframe"]
        if output_format == LIGHT:
            if mode not in _OF_CAPTURES:
                recipe = recipes.get("live", recipe)
            if not recipe.relight_sigma:  # a light cannot be taken from this checkpoint's pictures
                recipe, output_format = default, OUTPUT_FORMATS[mode]
        steps = value("steps")
        unpainted = steps == 0 and mode not in _OF_CAPTURES
        chosen = {name: value(name) for name in ("strength", "guidance_scale")}
        try:
            recipe = recipe.override(steps=None if unpainted else steps, **chosen)
        except ValueError as error:
            raise InvalidInput(str(error)) from error
        if value("prompt") is not None:  # words about the light are for the model that paints
            recipe = recipe.model_copy(update={"scene_light": None})
        if unpainted:
            recipe = recipe.without_picture()
        category = value("category") or "auto"
        if category not in CATEGORIES:
            raise InvalidInput(f"category is {category!r}; it must be one of {', '.join(CATEGORIES)}")
        preview_interval = value("preview_interval")
        if preview_interval is not None and preview_interval < 1:
            raise InvalidInput(
                f"preview_interval is {preview_interval}; it counts steps and must be at least 1"
            )
        live = mode == "keyframe"
        return cls(
            recipe=recipe,
            live=live,
            patient=mode == "batch",
            session=value("session") if mode not in _OF_CAPTURES else None,
            render_fit=value("render_fit") or "auto",
            category=category,
            fabric=value("fabric") or "",
            prompt=value("prompt"),
            seed=value("seed") or 0,
            output_format=output_format,
            preview_interval=preview_interval,
        )
