"""The stages of a request in their order.

First `encode` and `text_encoder` at the same time, then the UNet's steps together with all other jobs, then
`decode`.
"""

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.denoising.batching import group_compatible, stack
from pipeline.denoising.previews import Previews, shrink
from pipeline.denoising.sampling import Denoising, Schedulers
from pipeline.denoising.scheduler import Scheduler
from pipeline.denoising.stepper import Cancelled, Stepper
from pipeline.light.relighting import NO_LIGHT
from pipeline.light.session_light import SessionLights, View
from pipeline.recipe import Recipe, ServedConfig
from pipeline.session_cache import SessionCache
from pipeline.tryon.job import DenoisingJob
from pipeline.tryon.models import Client, Models, Tensor
from pipeline.tryon.prompts import Prompts
from pipeline.tryon.request import TryonRequest

logger = logging.getLogger(__name__)

_FRAME = ("composite", "mask", "crop")
_ENCODED = (*_FRAME, "latent_mask", "report", "latent_mean", "latent_std")


@dataclass(frozen=True)
class Limits:
    """
    max_rows: rows of the UNet's largest batch.
    capture_interval: while there are keyframes, captures advance once in this many ticks.
    max_encoding: jobs in `encode` at the same time.
    max_sessions: sessions whose last light and laying are kept.
    """

    max_rows: int
    capture_interval: int
    max_encoding: int
    max_sessions: int


class Pipeline:
    """Takes requests through the models, and batches their denoising steps. Use it from one event loop.

    models: calls a model of the repository.
    """

    def __init__(
        self, config: ServedConfig, schedulers: Schedulers, prompts: Prompts, models: Models, limits: Limits
    ):
        self._schedulers = schedulers
        self._prompts = prompts
        self._models = models
        self._masked = np.array([config.conditioning == "masked"])
        self._batch_sizes = config.batch_sizes
        # First come, first served. A request that waits in Triton's own queue could not be cancelled.
        self._live = asyncio.Semaphore(config.max_live)
        self._encoders = asyncio.Semaphore(limits.max_encoding)
        self._lights = SessionLights(limits.max_sessions)
        self._layings: SessionCache[tuple[str, str]] = SessionCache(limits.max_sessions)
        scheduler: Scheduler[DenoisingJob] = Scheduler(limits.max_rows, limits.capture_interval)
        self._stepper = Stepper(scheduler, self._predict)

    async def run(self, request: TryonRequest, pictures: Mapping[str, Any], client: Client) -> dict[str, Any]:
        """The answer's tensors by name (model_repository/README.md), and those of the earlier stages.

        pictures: `camera_frame`, `jacket_render`, `pose` and `client_mask`.
        Raises Cancelled if the client has gone away, otherwise the exceptions of `models`.
        """
        async with AsyncExitStack() as slot:
            if request.live:
                await slot.enter_async_context(self._live)
                slot.enter_context(self._stepper.live_request())
            async with self._encoders:
                if client.cancelled():
                    raise Cancelled
                began = time.perf_counter()
                earlier_laying = self._earlier_laying(request)
                encoded = await self._encode(request, pictures, earlier_laying, client.request_id)
            encoded_at = time.perf_counter()
            report = json.loads(encoded["report"].as_numpy()[0])
            self._keep_laying(request, report.pop("laying", None) or earlier_laying)
            report |= {"mode": "ai_enhanced", "seed": request.seed, "steps": request.recipe.steps}

            if report["mode_reason"] is None:
                latents = await self._denoise(request, encoded, client)
                denoised_at = time.perf_counter()
                decoded = await self._decode(request, pictures["pose"], encoded, latents, client.request_id)
            else:  # nothing to paint: the composite is the answer
                report |= {"mode": "fallback", "steps": 0}
                denoised_at = time.perf_counter()
                unpainted = {"pixels": np.zeros((1, 3, 8, 8), np.float32)}
                inputs = unpainted | _paste_inputs(encoded, request.recipe, request.output_format)
                decoded = await self._models("postprocess", inputs, ["image"], client.request_id)
            ended = time.perf_counter()
            report["latency_ms"] = {
                "preprocess": _ms(encoded_at - began),
                "denoise": _ms(denoised_at - encoded_at),
                "postprocess": _ms(ended - denoised_at),
                "total": _ms(ended - began),
            }
            return {**encoded, **decoded, "report": _string(json.dumps(report))}

    async def _encode(
        self, request: TryonRequest, pictures: Mapping[str, Any], earlier_laying: str, request_id: str
    ) -> dict[str, Tensor]:
        inputs = {
            **pictures,
            "render_fit": _string(request.render_fit),
            "resolution": np.array(request.recipe.resolution, np.int32),
            "masked": self._masked,
            "earlier_laying": _string(earlier_laying),
        }
        input_ids = {"input_ids": self._prompts.input_ids(request)}
        encoded, embedded = await asyncio.gather(
            self._models("encode", inputs, _ENCODED, request_id),
            self._models("text_encoder", input_ids, ["prompt_embeds"], request_id),
        )
        return encoded | embedded

    def _earlier_laying(self, request: TryonRequest) -> str:
        """How the session's last keyframe with this fabric was laid; empty if that is unknown."""
        fabric, laying = self._layings.get(request.session) or (None, "")
        return laying if fabric == request.fabric else ""

    def _keep_laying(self, request: TryonRequest, laying: str) -> None:
        if request.session is not None and laying:
            self._layings.keep(request.session, (request.fabric, laying))

    async def _denoise(
        self, request: TryonRequest, encoded: Mapping[str, Tensor], client: Client
    ) -> torch.Tensor:
        denoising = Denoising(
            self._schedulers.fresh(request.recipe.scheduler),
            request.recipe,
            latent_mean=torch.from_dlpack(encoded["latent_mean"]),
            latent_std=torch.from_dlpack(encoded["latent_std"]),
            mask=torch.from_dlpack(encoded["latent_mask"]),
            prompt_embeds=torch.from_dlpack(encoded["prompt_embeds"]),
            seed=request.seed,
        )
        previews = self._previews(request, encoded, client.request_id)
        await self._stepper.run(DenoisingJob(denoising, request.live, client, previews))
        return denoising.latents

    async def _predict(self, jobs: Sequence[DenoisingJob]) -> list[torch.Tensor]:
        """Every job's prediction for its next step; jobs of the same UNet and resolution share a call."""
        rows = [job.denoising for job in jobs]
        predictions: dict[int, torch.Tensor] = {}

        async def call(positions: list[int]) -> None:
            batch = stack([rows[position] for position in positions], self._batch_sizes)
            outputs = await self._models(rows[positions[0]].unet, batch.inputs, ["model_output"])
            parts = batch.split(torch.from_dlpack(outputs["model_output"]))
            predictions.update(zip(positions, parts, strict=True))

        await asyncio.gather(*(call(positions) for positions in group_compatible(rows)))
        return [predictions[position] for position in range(len(rows))]

    async def _decode(
        self,
        request: TryonRequest,
        pose: Any,
        encoded: Mapping[str, Tensor],
        latents: torch.Tensor,
        request_id: str,
    ) -> dict[str, Tensor]:
        """The answer's picture. In a session, its light follows that of the last keyframe."""
        view = _view(request, pose, encoded)
        earlier_light = self._lights.earlier(request.session, view)
        inputs = {"latents": latents} | _paste_inputs(
            encoded, request.recipe, request.output_format, earlier_light
        )
        decoded = await self._models("decode", inputs, ["image", "pixels", "light"], request_id)
        if request.session is not None:
            self._lights.keep(request.session, view, decoded["light"].as_numpy().copy())
        return decoded

    def _previews(
        self, request: TryonRequest, encoded: Mapping[str, Tensor], request_id: str
    ) -> Previews | None:
        """Makes previews by `decode` on a small copy of the frame; None if the request wants none."""
        if request.preview_interval is None:
            return None
        composite, mask, crop = (encoded[name].as_numpy() for name in _FRAME)
        small = dict(zip(_FRAME, shrink(composite, mask, crop), strict=True))
        paste_inputs = _paste_inputs(small, request.recipe, "jpeg")

        async def make(latents: torch.Tensor) -> np.ndarray | None:
            try:
                # Asked for "image" alone, Triton 2.51 reports a deadlock of the ensemble.
                decoded = await self._models(
                    "decode", {"latents": latents} | paste_inputs, ["image", "pixels"], request_id
                )
            except Exception as error:  # the answer does not need the preview
                logger.warning("%s: no preview: %r", request_id, error)
                return None
            return decoded["image"].as_numpy()

        return Previews(request.preview_interval, make)


def _paste_inputs(
    encoded: Mapping[str, Any], recipe: Recipe, output_format: str, earlier_light: np.ndarray = NO_LIGHT
) -> dict[str, Any]:
    """The inputs of `postprocess` except the model's picture."""
    return {
        **{name: encoded[name] for name in _FRAME},
        "relight_sigma": np.array([recipe.relight_sigma], np.float32),
        "detail_gain": np.array([recipe.detail_gain], np.float32),
        "earlier_light": earlier_light,
        "output_format": _string(output_format),
    }


def _view(request: TryonRequest, pose: Any, encoded: Mapping[str, Tensor]) -> View:
    """What the session's light depends on, for this keyframe."""
    height, width = encoded["mask"].as_numpy().shape
    x, y, crop_width, crop_height = encoded["crop"].as_numpy().tolist()
    choices = request.fabric, request.prompt, request.seed
    landmarks = pose if isinstance(pose, np.ndarray) else pose.as_numpy()
    return View(choices, (width, height), (x, y, crop_width, crop_height), landmarks.copy())


def _string(text: str) -> np.ndarray:
    return np.array([text], np.object_)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
