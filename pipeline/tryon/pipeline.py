"""The stages of a request in their order.

First the family's conditioner, which runs `preprocess` and the encoders; then the denoiser's steps together
with all other jobs; then `decode`, or `postprocess` alone.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.denoising.linear_schedules import Recurrences
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Denoising
from pipeline.denoising.schedule import Schedule, Schedulers
from pipeline.denoising.scheduler import Scheduler
from pipeline.denoising.stepper import Cancelled, Stepper
from pipeline.denoising.warm_up import warm_up
from pipeline.garment.garment_map import ONE_RENDER
from pipeline.light.light_answer import describe
from pipeline.recipe import ServedConfig
from pipeline.session_cache import SessionCache
from pipeline.tryon.conditioner import PICTURES, Conditioner, Start, Task
from pipeline.tryon.decoding import Decoder, view
from pipeline.tryon.garment_choice import garment_choice, unused_photo
from pipeline.tryon.garments import Garment
from pipeline.tryon.job import DenoisingJob
from pipeline.tryon.light_reading import read_light
from pipeline.tryon.models import Client, HostTensor, Models, Tensor
from pipeline.tryon.outfit import on_one_canvas, one_after_the_other
from pipeline.tryon.predictions import Predictions
from pipeline.tryon.request import LIGHT, TryonRequest


@dataclass(frozen=True)
class Limits:
    """
    max_rows: rows of the denoiser's largest batch.
    capture_interval: while there are keyframes, captures advance once in this many ticks.
    max_encoding: jobs in the stages before the first step at the same time.
    max_sessions: sessions whose last light and laying are kept.
    """

    max_rows: int
    capture_interval: int
    max_encoding: int
    max_sessions: int


class Pipeline:
    """Takes requests through the models, and batches their denoising steps. Use it from one event loop.

    conditioner: of the checkpoint's family.
    models: calls a model of the repository.
    device: where the networks' tensors lie. On a GPU all jobs' steps are computed together, since each
        operation is a launch; on the CPU by the samplers themselves.
    """

    def __init__(
        self,
        config: ServedConfig,
        schedulers: Schedulers,
        conditioner: Conditioner,
        models: Models,
        limits: Limits,
        device: str = "cpu",
    ):
        self._schedulers = schedulers
        self._recurrences = Recurrences(schedulers) if device != "cpu" else None
        self._recipes = config.modes.values()
        self._device = device
        self._conditioner = conditioner
        self._models = models
        self._one_at_a_time = config.conditioning == "person"
        self._choices = {
            "conditioning": _string(config.conditioning),
            "framing": _string(config.framing),
        }
        # First come, first served. A request that waits in Triton's own queue could not be cancelled.
        self._live = asyncio.Semaphore(config.max_live)
        self._encoders = asyncio.Semaphore(limits.max_encoding)
        self._patient = asyncio.Semaphore(1)
        self._decoder = Decoder(models, limits.max_sessions)
        self._layings: SessionCache[tuple[tuple[str, ...], str]] = SessionCache(limits.max_sessions)
        scheduler: Scheduler[DenoisingJob] = Scheduler(limits.max_rows, limits.capture_interval)
        self._stepper = Stepper(scheduler, Predictions(models, config.batch_sizes))

    def warm_up(self) -> None:
        """Set up what the first request would wait for."""
        warm_up(self._schedulers, self._recurrences, self._recipes, self._device)

    async def run(
        self,
        request: TryonRequest,
        pictures: Mapping[str, Any],
        client: Client,
        recorded: torch.Tensor | None = None,
        garments: Sequence[Garment] = (),
    ) -> dict[str, Any]:
        """The answer's tensors by name (model_repository/README.md), and those of the earlier stages.

        pictures: `camera_frame`, `jacket_render`, `garment_image`, `pose`, `pose_image`, `garment_pose_image`
            and `client_mask`.
        recorded: values that take the place of random numbers, or None.
        garments: from the lowest to the highest; they take the place of the request's garment.
        Raises Cancelled if the client has gone away, InvalidInput for steps that the sampler cannot run,
        otherwise the exceptions of `models`.
        """
        if garments:
            wear = one_after_the_other if self._one_at_a_time else on_one_canvas
            answer, report = await wear(self._run, request, garments, pictures, client, recorded)
        else:
            answer, report = await self._run(request, pictures, client, recorded)
        return {**answer, "report": _string(json.dumps(report))}

    async def _run(
        self,
        request: TryonRequest,
        pictures: Mapping[str, Any],
        client: Client,
        recorded: torch.Tensor | None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The answer's tensors and its report, for one canvas or one garment."""
        schedule = self._schedulers.schedule(request.recipe)  # refuses what its sampler cannot run
        async with AsyncExitStack() as slot:
            if request.live:
                await slot.enter_async_context(self._live)
                slot.enter_context(self._stepper.live_request())
            async with self._turn(request), self._encoders:
                if client.cancelled():
                    raise Cancelled
                began = time.perf_counter()
                garment = await garment_choice(request, pictures)
                earlier_laying = self._earlier_laying(request, garment)
                task = self._task(request, pictures, schedule, earlier_laying, client.request_id, recorded)
                conditioned = await self._conditioner.condition(task)
            encoded_at = time.perf_counter()
            encoded = conditioned.tensors
            report = json.loads(encoded["report"].as_numpy()[0])
            laying, occlusion = report.pop("laying", None) or earlier_laying, report.pop("occlusion", None)
            self._keep_laying(request, garment, laying)
            report |= unused_photo(report, pictures)
            steps = 0 if conditioned.start is None else request.recipe.steps
            report |= {"mode": "ai_enhanced", "seed": request.seed, "steps": steps}
            report |= conditioned.report

            if report["mode_reason"] is None:
                reading = await read_light(self._models, request.recipe, encoded, client.request_id)
                encoded = {**encoded, "scene_light": HostTensor(reading.light)}
                report |= reading.report
                model, painted = await self._paint(task, encoded, conditioned.start, client)
                denoised_at = time.perf_counter()
                seen = view(request, garment, pictures["pose"], encoded)
                async with self._turn(request):
                    decoded = await self._decoder.decode(
                        request, seen, encoded, model, painted, client.request_id
                    )
                if request.output_format == LIGHT:
                    report["light"] = describe(seen, request.recipe, laying, occlusion)
            else:
                report["mode"] = "fallback"
                denoised_at = time.perf_counter()
                decoded = await self._decoder.unpainted(request, encoded, client.request_id)
            ended = time.perf_counter()
            report["latency_ms"] = {
                "preprocess": _ms(encoded_at - began),
                "denoise": _ms(denoised_at - encoded_at),
                "postprocess": _ms(ended - denoised_at),
                "total": _ms(ended - began),
            }
            return {**encoded, **decoded}, report

    @asynccontextmanager
    async def _turn(self, request: TryonRequest) -> AsyncIterator[None]:
        """Use it around a stage outside the steps: a patient request begins it while no keyframe is in
        progress, and one of them at a time."""
        if not request.patient:
            yield
            return
        async with self._patient:
            await self._stepper.quiet()
            yield

    async def _paint(
        self, task: Task, encoded: Mapping[str, Tensor], start: Start | None, client: Client
    ) -> tuple[str, dict[str, torch.Tensor]]:
        """The model that makes the answer, and what it makes it of, as `Decoding` has them.

        Without a start that is the composite itself, which the light of the scene is laid on.
        """
        if start is None:
            return "postprocess", {"pixels": torch.from_dlpack(encoded["pixels"])[:1]}
        recipe, request = task.request.recipe, task.request
        recurrence = None if self._recurrences is None else await self._recurrences.derive_beside(recipe)
        denoising = Denoising(task.schedule, start.conditions, start.latents, task.noise, recurrence)
        previews = self._decoder.previews(request, encoded, start.decoding, client.request_id)
        job = DenoisingJob(denoising, request.live, client, previews, request.patient)
        await self._stepper.run(job)
        return start.decoding.model, start.decoding.inputs(denoising.latents)

    def _task(
        self,
        request: TryonRequest,
        pictures: Mapping[str, Any],
        schedule: Schedule,
        earlier_laying: str,
        request_id: str,
        recorded: torch.Tensor | None,
    ) -> Task:
        inputs = {
            **{name: it for name, it in pictures.items() if name not in PICTURES},
            "render_fit": _string(request.render_fit),
            "category": _string(request.category),
            "resolution": np.array(request.recipe.resolution, np.int32),
            **self._choices,
            "earlier_laying": _string(earlier_laying),
            "render_parts": pictures.get("render_parts", ONE_RENDER),
            "occluded": np.array([request.output_format == LIGHT]),
            "with_scene": np.array([request.recipe.scene_light is not None]),
        }

        async def models(
            model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = request_id
        ) -> dict[str, Tensor]:
            return await self._models(model, inputs, outputs, request_id)

        noise = Noise(request.seed, recorded)
        own = {name: pictures[name] for name in PICTURES}
        return Task(request, inputs, models, schedule, noise, **own)

    def _earlier_laying(self, request: TryonRequest, garment: tuple[str, ...]) -> str:
        """How the session's last keyframe with this garment was laid; empty if that is unknown."""
        earlier, laying = self._layings.get(request.session) or (None, "")
        return laying if earlier == garment else ""

    def _keep_laying(self, request: TryonRequest, garment: tuple[str, ...], laying: str) -> None:
        if request.session is not None and laying:
            self._layings.keep(request.session, (garment, laying))


def _string(text: str) -> np.ndarray:
    return np.array([text], np.object_)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
