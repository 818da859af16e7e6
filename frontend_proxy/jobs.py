"""A job for the model, and what comes back from it: the words that the proxy and Triton share."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from frontend_proxy.schemas import Report
from frontend_proxy.tracing import span


@dataclass(frozen=True)
class Job:
    """One try-on. Images are compressed bytes; an option that is None is left to the model.

    request_id: the name that the client, the logs and Triton's trace share.
    pose: float32 (33, 4), x, y, z, visibility of MediaPipe's landmarks.
    fabric: the fabric's name in words.
    mask: an image over the render's canvas, white where the garment is; the model finds out where it is None.
    render_fit: how the render's canvas lies on the frame; the model finds out where it is None.
    preview_interval: a capture's steps from one preview to the next; None for no previews.
    session: keyframes of the same name are one user's, and steadied from one to the next. Nobody else may
        guess it.
    """

    request_id: str
    mode: Literal["keyframe", "capture"]
    camera_frame: bytes
    jacket_render: bytes
    output_format: Literal["jpeg", "png"]
    seed: int
    pose: np.ndarray | None = None
    fabric: str | None = None
    mask: bytes | None = None
    render_fit: str | None = None
    steps: int | None = None
    strength: float | None = None
    guidance_scale: float | None = None
    preview_interval: int | None = None
    session: str | None = None


@dataclass(frozen=True)
class Progress:
    """A capture has done `step` of its `steps`; `preview` is a small JPEG of it, where one is ready."""

    step: int
    steps: int
    preview: bytes | None = None


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


# How often a model ran on batches of one size: by server, model and size.
Execution = tuple[str, str, int]


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

    async def executions(self) -> Mapping[Execution, int]:
        """How often each model ran on a batch of each size, since its server's start.

        Nothing of a server that does not answer.
        """
        ...

    async def close(self) -> None: ...


async def run_to_result(
    server: ModelServer,
    job: Job,
    timeout_s: float,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """The job's result; cancelling this cancels the job. Raises what `ModelServer.run` raises."""
    with span(job.mode):
        responses = server.run(job, timeout_s)
        try:
            async for response in responses:
                if isinstance(response, Result):
                    return response
                on_progress(response)
        finally:
            await responses.aclose()
    raise AssertionError("a job ends in a Result or an error")


def latency_ms(stages: dict[str, float], total_s: float) -> dict[str, float]:
    """A report's stages in milliseconds, with `total` as the client's request took it and `queue`, which is
    all that is no stage: waiting for a turn, and the way to the model and back."""
    spent = {name: milliseconds for name, milliseconds in stages.items() if name != "total"}
    total = 1000 * total_s
    return {
        "queue": round(max(0.0, total - sum(spent.values())), 1),
        **spent,
        "total": round(total, 1),
    }
