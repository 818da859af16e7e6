"""A client's request to the model's job: what the settings and the catalog add to it."""

import asyncio
import dataclasses
import hashlib
import secrets
from contextlib import suppress
from typing import Any

from catalog import Catalog, CatalogError
from frontend_proxy.errors import InvalidInput
from frontend_proxy.jobs import Job
from frontend_proxy.pose import pose_tensor
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import MAX_SEED, Capture, Keyframe, TryOn
from frontend_proxy.settings import Settings

# Denoising steps of a keyframe, where its quality is not the usual one.
STEPS = {"low": 2, "high": 8}
LOOK_UP_S = 1.0  # for a fabric's name; without it the prompt says less


class JobFactory:
    """Makes jobs for the current request; raises InvalidInput for more steps than the settings allow."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog

    async def keyframe(
        self, keyframe: Keyframe, jacket_render: bytes, connection: str, connection_seed: int
    ) -> Job:
        """
        connection: its secret name. What is steadied from one keyframe to the next stays within it, within
            the client's session, and within a fabric, also one of the client's own that has no name here.
        connection_seed: holds where the keyframe names neither a seed nor a session.
        """
        seed = keyframe.seed
        if seed is None:
            seed = connection_seed if keyframe.session_id is None else seed_of(keyframe.session_id)
        return Job(
            mode="keyframe",
            camera_frame=keyframe.camera_frame,
            jacket_render=jacket_render,
            output_format="jpeg",
            seed=seed,
            mask=keyframe.mask,
            session=f"{connection}/{keyframe.session_id}/{keyframe.fabric_id}",
            **await self._options(keyframe, STEPS.get(keyframe.quality, self._settings.fast_inference_steps)),
        )

    async def capture(self, capture: Capture, preview_interval: int | None = None) -> Job:
        """A capture that names no seed gets a random one."""
        return Job(
            mode="capture",
            camera_frame=capture.user_image,
            jacket_render=capture.jacket_render,
            output_format=capture.output_format,
            seed=random_seed() if capture.seed is None else capture.seed,
            **await self._options(capture, self._settings.quality_inference_steps),
            preview_interval=preview_interval,
        )

    async def _options(self, request: TryOn, default_steps: int | None) -> dict[str, Any]:
        if request.steps is not None and request.steps > self._settings.max_steps:
            raise InvalidInput(f"steps: at most {self._settings.max_steps} are allowed, not {request.steps}")
        return {
            "request_id": current_request_id(),
            "pose": pose_tensor(request.pose.points()) if request.pose else None,
            "fabric": await self._name(request.fabric_id) if request.fabric_id else None,
            "render_fit": request.render_fit,
            "steps": request.steps or default_steps,
            "strength": request.strength,
            "guidance_scale": request.guidance_scale,
        }

    async def _name(self, fabric_id: str) -> str | None:
        """Saved fabrics lie on a disk, which a socket's keyframe must not make all others wait for."""
        fabric = self._catalog.built_in.get(fabric_id)
        if fabric is None:
            with suppress(CatalogError, TimeoutError):  # a bucket that is away, a disk that hangs
                async with asyncio.timeout(LOOK_UP_S):
                    fabric = await asyncio.to_thread(self._catalog.get, fabric_id)
        return fabric.name if fabric else None


def samples(job: Job, count: int) -> list[Job]:
    """The job and others of it, whose seeds count up; only the first has previews."""
    more = (
        dataclasses.replace(job, seed=(job.seed + number) % (MAX_SEED + 1), preview_interval=None)
        for number in range(1, count)
    )
    return [job, *more]


def random_seed() -> int:
    """Small enough to be exact in every client's numbers."""
    return secrets.randbelow(2**32)


def seed_of(session_id: str) -> int:
    """Of the same size, and always the same for a session."""
    return int.from_bytes(hashlib.blake2b(session_id.encode(), digest_size=4).digest())
