"""A job for the model, and what comes back from it: the words that the proxy and Triton share."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from catalog import Catalog
from frontend_proxy.errors import InvalidInput
from frontend_proxy.pose import pose_tensor
from frontend_proxy.request_id import current_request_id
from frontend_proxy.schemas import Report, TryOn
from frontend_proxy.settings import Settings


@dataclass(frozen=True)
class Job:
    """One try-on. Images are compressed bytes; an option that is None is left to the model.

    pose: float32 (33, 4), x, y, z, visibility of MediaPipe's landmarks.
    fabric: the fabric's name in words.
    """

    request_id: str
    mode: Literal["keyframe", "capture"]
    camera_frame: bytes
    jacket_render: bytes
    output_format: Literal["jpeg", "png"]
    seed: int
    pose: np.ndarray | None = None
    fabric: str | None = None
    steps: int | None = None
    strength: float | None = None
    guidance_scale: float | None = None


def new_job(
    request: TryOn,
    mode: Literal["keyframe", "capture"],
    camera_frame: bytes,
    jacket_render: bytes,
    seed: int,
    settings: Settings,
    catalog: Catalog,
) -> Job:
    """The job that a client asks for; `seed` and the settings' steps hold where it names none.

    Raises InvalidInput for more steps than the settings allow.
    """
    default_steps = settings.fast_inference_steps if mode == "keyframe" else settings.quality_inference_steps
    if request.steps is not None and request.steps > settings.max_steps:
        raise InvalidInput(f"steps: at most {settings.max_steps} are allowed, not {request.steps}")
    fabric = catalog.get(request.fabric_id) if request.fabric_id else None
    return Job(
        request_id=current_request_id(),
        mode=mode,
        camera_frame=camera_frame,
        jacket_render=jacket_render,
        output_format="jpeg" if mode == "keyframe" else "png",
        seed=seed if request.seed is None else request.seed,
        pose=pose_tensor(request.pose.points()) if request.pose else None,
        fabric=fabric.name if fabric else None,
        steps=request.steps or default_steps,
        strength=request.strength,
        guidance_scale=request.guidance_scale,
    )


@dataclass(frozen=True)
class Progress:
    """A capture has done `step` of its `steps`."""

    step: int
    steps: int


@dataclass(frozen=True)
class Result:
    """The end of a job: compressed bytes of the frame's size, and how they came about."""

    image: bytes
    report: Report


@dataclass(frozen=True)
class ModelHealth:
    """What the server says of the model just now. `device` is `cuda`, `cpu` or `unknown`."""

    ready: bool
    loading: bool
    error: str | None
    device: str


class ModelServer(Protocol):
    """What the proxy needs of Triton; a test passes a fake."""

    def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """Progress as it comes, then one Result. Closing the generator cancels the job.

        Raises InvalidInput, UndecodableImage, InferenceFailed, ModelUnavailable, Overloaded, or
        DeadlineExceeded after `timeout_s` seconds.
        """
        ...

    async def health(self) -> ModelHealth:
        """Never raises: a server that does not answer is what it reports."""
        ...

    async def close(self) -> None: ...


async def run_to_result(server: ModelServer, job: Job, timeout_s: float) -> Result:
    """The job's result; cancelling this cancels the job. Raises what `ModelServer.run` raises."""
    responses = server.run(job, timeout_s)
    try:
        async for response in responses:
            if isinstance(response, Result):
                return response
    finally:
        await responses.aclose()
    raise AssertionError("a job ends in a Result or an error")
