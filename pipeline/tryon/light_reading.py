"""Asks the light reader for the light of a request's scene."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.light.scene_light import NO_SCENE_LIGHT, over_crop
from pipeline.recipe import Recipe
from pipeline.tryon.models import Models, Tensor

LIGHT_READER = "light_reader"


@dataclass(frozen=True)
class LightReading:
    """
    light: log E over the crop, (h, w, 3) float32; NO_SCENE_LIGHT where the picture's light counts.
    report: what the answer's report tells about it.
    """

    light: np.ndarray = field(default_factory=lambda: NO_SCENE_LIGHT)
    report: Mapping[str, Any] = field(default_factory=dict)


async def read_light(
    models: Models, recipe: Recipe, encoded: Mapping[str, Tensor], request_id: str
) -> LightReading:
    """encoded: with `scene`, `scene_window` and `crop`, where the recipe wants the scene's light."""
    if recipe.scene_light is None:
        return LightReading()
    answer = await models(LIGHT_READER, {"scene": encoded["scene"]}, ["log_light", "confidence"], request_id)
    log_light, confidence = (answer[name].as_numpy()[0] for name in ("log_light", "confidence"))
    light = over_crop(log_light, encoded["scene_window"].as_numpy(), encoded["crop"].as_numpy())
    return LightReading(light, {"light_confidence": round(float(confidence[0]), 3)})
