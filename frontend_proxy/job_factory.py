"""Make the model's job from a client's request, the settings and the catalog."""

import asyncio
import dataclasses
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np

from catalog import Catalog, CatalogError
from frontend_proxy.errors import InvalidInput
from frontend_proxy.garments import GarmentJob, layer_of, renders_of
from frontend_proxy.image_headers import seen_size
from frontend_proxy.jobs import Job, together
from frontend_proxy.measurements import measure
from frontend_proxy.pose import read_pose
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import MAX_SEED, Capture, Keyframe, TryOn, Video
from frontend_proxy.settings import Settings

# Denoising steps of a keyframe whose quality is not the default.
STEPS = {"low": 2, "high": 8}
LOOK_UP_S = 1.0  # timeout for a fabric's name; without the name the prompt is less specific
LOOK_UP_THREADS = 4
NOT_MEASURED = (
    "physical_height_mm: the pose shows too little; shoulders, and hips or eyes and ankles, are needed"
)
NOBODY = "pose: the server found nobody in the picture"

# Finds MediaPipe's landmarks in a compressed picture, or None.
PoseFinder = Callable[[bytes], Awaitable[np.ndarray | None]]


class JobFactory:
    """Makes jobs for the current request. Raises InvalidInput for more steps than the settings allow.

    find_pose: for captures that say by nothing else where the garment goes; its errors are raised.
    """

    def __init__(self, settings: Settings, catalog: Catalog, find_pose: PoseFinder | None = None) -> None:
        self._settings = settings
        self._catalog = catalog
        self._find_pose = find_pose
        # Threads of its own: look-ups that hang must not use up those that parse large messages.
        self._look_ups = ThreadPoolExecutor(LOOK_UP_THREADS, "fabric-look-up")

    async def keyframe(
        self, keyframe: Keyframe, jacket_render: bytes | None, connection: str, connection_seed: int
    ) -> Job:
        """The job of one keyframe.

        jacket_render: the keyframe's, if it can be used.
        connection: the connection's secret name. Keyframes are stabilised over time only within one
            connection, one session of the client and one fabric (known here or not).
        connection_seed: the seed if the keyframe has neither a seed nor a session.
        """
        seed = keyframe.seed
        if seed is None:
            seed = connection_seed if keyframe.session_id is None else seed_of(keyframe.session_id)
        return Job(
            mode="keyframe",
            camera_frame=keyframe.camera_frame,
            jacket_render=jacket_render,
            output_format="light" if keyframe.answer == "light" else "jpeg",
            seed=seed,
            session=f"{connection}/{keyframe.session_id}/{keyframe.fabric_id}",
            **await self._options(
                keyframe,
                keyframe.camera_frame,
                STEPS.get(keyframe.quality, self._settings.fast_inference_steps),
            ),
        )

    async def capture(self, capture: Capture, preview_interval: int | None = None) -> Job:
        """The job of one capture, with a random seed if it has none."""
        job = Job(
            mode="capture",
            camera_frame=capture.user_image,
            jacket_render=capture.jacket_render,
            output_format="light" if capture.answer == "light" else capture.output_format,
            seed=random_seed() if capture.seed is None else capture.seed,
            **await self._options(capture, capture.user_image, self._settings.quality_inference_steps),
            preview_interval=preview_interval,
        )
        return _measured(await self._with_pose(job), capture.physical_height_mm)

    async def _with_pose(self, job: Job) -> Job:
        """The pose tells where a garment goes that neither a render nor a mask shows on the body."""
        shown = (job.jacket_render, job.mask, *renders_of(job.garments))
        if job.pose is not None or self._find_pose is None or any(picture is not None for picture in shown):
            return job
        pose = await self._find_pose(job.camera_frame)
        if pose is not None:
            return dataclasses.replace(job, pose=pose)
        return dataclasses.replace(job, detail=together(job.detail, NOBODY))

    async def video(self, video: Video) -> Job:
        """The job of every frame of a film, without its pictures; with a random seed if it has none."""
        check_steps(video.steps, self._settings.max_steps)
        return Job(
            request_id=current_request_id(),
            mode="video",
            camera_frame=b"",
            jacket_render=None,
            output_format="light",
            seed=random_seed() if video.seed is None else video.seed,
            fabric=await self._name(video.fabric_id) if video.fabric_id else None,
            category=video.category,
            render_fit=video.render_fit,
            steps=video.steps,
        )

    async def _options(self, request: TryOn, frame: bytes, default_steps: int | None) -> dict[str, Any]:
        check_steps(request.steps, self._settings.max_steps)
        pose, detail = read_pose(request.pose, lambda: seen_size(frame))
        return {
            "request_id": current_request_id(),
            "pose": pose,
            "detail": detail,
            "garment_image": request.garment_image,
            "garments": await self._garments(request),
            "category": request.category,
            "mask": request.mask,
            "fabric": await self._name(request.fabric_id) if request.fabric_id else None,
            "render_fit": request.render_fit,
            "steps": request.steps or default_steps,
            "strength": request.strength,
            "guidance_scale": request.guidance_scale,
        }

    async def _garments(self, request: TryOn) -> tuple[GarmentJob, ...]:
        garments = []
        for place, garment in enumerate(request.garments or ()):
            fabric_id = garment.fabric_id or request.fabric_id
            garments.append(
                GarmentJob(
                    layer=layer_of(garment, place),
                    jacket_render=garment.jacket_render,
                    garment_image=garment.garment_image,
                    category=garment.category or request.category,
                    fabric=await self._name(fabric_id) if fabric_id else None,
                )
            )
        return tuple(garments)

    async def _name(self, fabric_id: str) -> str | None:
        """The fabric's name, or None. Saved fabrics are read in a thread, because disks may be slow."""
        fabric = self._catalog.built_in.get(fabric_id)
        if fabric is None:
            with suppress(CatalogError, OSError, TimeoutError):  # a failing or hanging disk or bucket
                async with asyncio.timeout(LOOK_UP_S):
                    loop = asyncio.get_running_loop()
                    fabric = await loop.run_in_executor(self._look_ups, self._catalog.get, fabric_id)
        return fabric.name if fabric else None


def check_steps(steps: int | None, most: int) -> None:
    """Raises InvalidInput."""
    if steps is not None and steps > most:
        raise InvalidInput(f"steps: at most {most} are allowed, not {steps}")


def samples(job: Job, count: int) -> list[Job]:
    """`count` copies of the job whose seeds count up; only the first has previews."""
    more = (
        dataclasses.replace(job, seed=(job.seed + number) % (MAX_SEED + 1), preview_interval=None)
        for number in range(1, count)
    )
    return [job, *more]


def _measured(job: Job, height_mm: float | None) -> Job:
    """With measures of the person, or a word on why there are none."""
    if height_mm is None:
        return job
    size = seen_size(job.camera_frame)
    found = None if job.pose is None or size is None else measure(job.pose, size, height_mm)
    if found is not None:
        return dataclasses.replace(job, measurements=found.model_dump())
    return dataclasses.replace(job, detail=together(job.detail, NOT_MEASURED))


def random_seed() -> int:
    """A random seed of 32 bits, which JavaScript numbers hold exactly."""
    return secrets.randbelow(2**32)


def seed_of(session_id: str) -> int:
    """A seed of 32 bits that is always the same for one session."""
    return int.from_bytes(hashlib.blake2b(session_id.encode(), digest_size=4).digest())
