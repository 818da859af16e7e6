"""A job for the model, and its progress and result: the interface between the proxy and Triton."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from frontend_proxy.answer_schemas import Light, Report
from frontend_proxy.garments import GarmentJob
from frontend_proxy.measurements import Measurements
from frontend_proxy.served_model import ServedModel
from frontend_proxy.tracing import span


@dataclass(frozen=True)
class Job:
    """One try-on. Images are compressed bytes; the model chooses a value for every option that is None.

    mode: `batch` is a capture that nobody waits for.
    request_id: the id in the client's answer, in the logs and in Triton's trace.
    jacket_render: None if there is a garment_image instead.
    garment_image: a photo of the garment. category: what the garment is; None: the model decides.
    pose: float32 (33, 4), x, y, z, visibility of MediaPipe's landmarks.
    fabric: the fabric's name, for the prompt.
    mask: an image that is stretched over the render's canvas, or over the frame without a render; white where
        the garment is. None: the model finds it.
    render_fit: how the render's canvas lies on the frame; None: the model finds it.
    preview_interval: a capture's steps from one preview to the next; None for no previews.
    session: keyframes with the same name belong to one user and are stabilised over time. It must be secret.
    garments: several, in the request's order; then there is neither a jacket_render nor a garment_image.
    measurements: of the person; `run_to_result` adds them to the report.
    detail: what the client should know about its request; `run_to_result` adds it to the report.
    """

    request_id: str
    mode: Literal["keyframe", "capture", "batch", "video"]
    camera_frame: bytes
    jacket_render: bytes | None
    output_format: Literal["jpeg", "png", "light"]
    seed: int
    pose: np.ndarray | None = None
    fabric: str | None = None
    mask: bytes | None = None
    garment_image: bytes | None = None
    category: str | None = None
    render_fit: str | None = None
    steps: int | None = None
    strength: float | None = None
    guidance_scale: float | None = None
    preview_interval: int | None = None
    session: str | None = None
    garments: tuple[GarmentJob, ...] = ()
    measurements: dict[str, Any] | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Progress:
    """A capture has done `step` of its `steps`; `preview` is a small JPEG of it, if there is one."""

    step: int
    steps: int
    preview: bytes | None = None


@dataclass(frozen=True)
class Result:
    """The end of a job, and how it was made.

    image: a compressed picture of the frame's size; or the light's map, if there is a `light`.
    """

    image: bytes
    report: Report
    light: Light | None = None


@dataclass(frozen=True)
class ModelHealth:
    """The model's state, as the server reports it.

    device: `cuda`, `cpu` or `unknown`.
    served: what was exported, if the server's repository says so.
    """

    ready: bool
    loading: bool
    error: str | None
    device: str
    served: ServedModel | None = None


# A server, a model and a batch size, for which executions are counted.
Execution = tuple[str, str, int]


class ModelServer(Protocol):
    """The part of Triton that the proxy uses; tests pass a fake."""

    def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """Yields Progress, then one Result. Closing the generator cancels the job.

        Raises InvalidInput, UndecodableImage, InferenceFailed, ModelUnavailable, Overloaded, or
        DeadlineExceeded after `timeout_s` seconds.
        """
        ...

    async def health(self) -> ModelHealth:
        """The model's state. Never raises; the state also says that the server does not answer."""
        ...

    async def executions(self) -> Mapping[Execution, int]:
        """The executions of each server, model and batch size since the server started.

        A model that has not run yet has 0 of batch size 1. Servers that do not answer are left out.
        """
        ...

    async def close(self) -> None: ...


async def run_to_result(
    server: ModelServer,
    job: Job,
    timeout_s: float,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """The job's result, with the job's `detail` added to its report's. Cancelling this cancels the job.

    Raises what `ModelServer.run` raises.
    """
    with span(job.mode):
        responses = server.run(job, timeout_s)
        try:
            async for response in responses:
                if isinstance(response, Result):
                    return _with_detail(_with_measurements(response, job), job.detail)
                on_progress(response)
        finally:
            await responses.aclose()
    raise AssertionError("a job ends in a Result or an error")


def _with_measurements(result: Result, job: Job) -> Result:
    if job.measurements is None:
        return result
    found = Measurements.model_validate(job.measurements)
    return replace(result, report=result.report.model_copy(update={"measurements": found}))


def _with_detail(result: Result, detail: str | None) -> Result:
    if detail is None:
        return result
    both = together(result.report.detail, detail)
    return replace(result, report=result.report.model_copy(update={"detail": both}))


def together(*details: str | None) -> str:
    """Sentences for the client as one `detail`."""
    return "; ".join(filter(None, details))


def latency_ms(stages: dict[str, float], total_s: float) -> dict[str, float]:
    """A report's stages in milliseconds, with `total`, the duration of the client's request, and `queue`,
    the time outside the stages: waiting, and the transport to the model and back."""
    spent = {name: milliseconds for name, milliseconds in stages.items() if name != "total"}
    total = 1000 * total_s
    return {
        "queue": round(max(0.0, total - sum(spent.values())), 1),
        **spent,
        "total": round(total, 1),
    }
