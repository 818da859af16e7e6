"""From clean latents to the answer: a picture, a light, or a preview."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pipeline.denoising.previews import Previews, shrink
from pipeline.garment.garment_map import ONE_GARMENT
from pipeline.light.relighting import NO_LIGHT
from pipeline.light.scene_light import NO_SCENE_LIGHT
from pipeline.light.session_light import SessionLights, View
from pipeline.recipe import Recipe
from pipeline.tryon.conditioner import Decoding
from pipeline.tryon.models import Models, Tensor
from pipeline.tryon.request import LIGHT, TryonRequest

logger = logging.getLogger(__name__)

_FRAME = ("composite", "mask", "crop")
_NO_IMAGE = np.zeros(1, np.uint8)


class Decoder:
    """Calls `decode`, or `postprocess` alone, and keeps the light of each session's last keyframe.

    max_sessions: sessions whose light is kept.
    """

    def __init__(self, models: Models, max_sessions: int):
        self._models = models
        self._lights = SessionLights(max_sessions)

    async def decode(
        self,
        request: TryonRequest,
        view: View,
        encoded: Mapping[str, Tensor],
        model: str,
        painted: Mapping[str, torch.Tensor],
        request_id: str,
    ) -> dict[str, Any]:
        """The answer's picture or light. In a session, its light follows that of the last keyframe.

        model, painted: of `Decoding`.
        """
        earlier_light = self._lights.earlier(request.session, view)
        inputs = {
            **painted,
            **_paste_inputs(encoded, request.recipe, request.output_format, earlier_light),
        }
        # What `decode` makes of latents; without a VAE the pixels are there already.
        outputs = [name for name in ("image", "pixels", "light") if name not in painted]
        decoded = await self._models(model, inputs, outputs, request_id)
        if request.session is not None:
            self._lights.keep(request.session, view, decoded["light"].as_numpy().copy())
        return {**{name: it for name, it in painted.items() if name == "pixels"}, **decoded}

    async def unpainted(
        self, request: TryonRequest, encoded: Mapping[str, Tensor], request_id: str
    ) -> dict[str, Any]:
        """The answer where nothing is painted: the composite, which a client of lights draws itself."""
        if request.output_format == LIGHT:
            return {"image": _NO_IMAGE}
        unpainted = {"pixels": np.zeros((1, 3, 8, 8), np.float32)}
        inputs = unpainted | _paste_inputs(encoded, request.recipe, request.output_format)
        return await self._models("postprocess", inputs, ["image"], request_id)

    def previews(
        self, request: TryonRequest, encoded: Mapping[str, Tensor], decoding: Decoding, request_id: str
    ) -> Previews | None:
        """Makes previews on a small copy of the frame; None if the request wants none."""
        if request.preview_interval is None:
            return None
        composite, mask, crop = (encoded[name].as_numpy() for name in _FRAME)
        small = {
            **dict(zip(_FRAME, shrink(composite, mask, crop), strict=True)),
            "scene_light": encoded.get("scene_light", NO_SCENE_LIGHT),
        }
        paste_inputs = _paste_inputs(small, request.recipe, "jpeg")

        async def make(latents: torch.Tensor) -> np.ndarray | None:
            painted = decoding.inputs(latents)
            # Asked for "image" alone, Triton 2.51 reports a deadlock of the ensemble.
            outputs = [name for name in ("image", "pixels") if name not in painted]
            try:
                decoded = await self._models(decoding.model, painted | paste_inputs, outputs, request_id)
            except Exception as error:  # the answer does not need the preview
                logger.warning("%s: no preview: %r", request_id, error)
                return None
            return decoded["image"].as_numpy()

        return Previews(request.preview_interval, make)


def view(request: TryonRequest, garment: tuple[str, ...], pose: Any, encoded: Mapping[str, Tensor]) -> View:
    """What the session's light depends on, for this keyframe."""
    height, width = encoded["mask"].as_numpy().shape
    x, y, crop_width, crop_height = encoded["crop"].as_numpy().tolist()
    choices = garment, request.prompt, request.seed
    landmarks = pose if isinstance(pose, np.ndarray) else pose.as_numpy()
    return View(choices, (width, height), (x, y, crop_width, crop_height), landmarks.copy())


def _paste_inputs(
    encoded: Mapping[str, Any],
    recipe: Recipe,
    output_format: str,
    earlier_light: np.ndarray = NO_LIGHT,
) -> dict[str, Any]:
    """The inputs of `postprocess` except the model's picture."""
    return {
        **{name: encoded[name] for name in _FRAME},
        "garment_map": encoded.get("garment_map", ONE_GARMENT),
        "relight_sigma": np.array([recipe.relight_sigma], np.float32),
        "detail_gain": np.array([recipe.laid_detail_gain], np.float32),
        "earlier_light": earlier_light,
        "scene_light": encoded.get("scene_light", NO_SCENE_LIGHT),
        "picture_share": np.array(
            [recipe.scene_light.picture_share if recipe.scene_light else 0], np.float32
        ),
        "output_format": np.array([output_format], np.object_),
    }
