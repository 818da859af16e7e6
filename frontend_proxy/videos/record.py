"""What is stored about a film beside the film itself, and what clients receive about it."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from frontend_proxy.answer_schemas import CaptureFailure, Report
from frontend_proxy.captures.record import Record, new_result_id
from frontend_proxy.request_id import current_request_id


class VideoProgress(BaseModel):
    """`frame` of about `frames` are done: first all are looked at, then all are encoded."""

    stage: Literal["reading", "writing"]
    frame: int
    frames: int


class VideoResult(Report):
    """The dressed film and its report. `frames`: of the film; `dressed`: how many of them show the garment.

    The rest of the report is the first dressed frame's, and `latency_ms` is the mean.
    """

    url: str
    frames: int
    dressed: int
    seconds: float
    width: int
    height: int


class VideoStatus(BaseModel):
    """`GET /api/video/{id}`."""

    success: Literal[True] = True
    video_id: str
    state: Literal["running", "succeeded", "failed"]
    url: str
    created_at: str
    expires_at: str
    progress: VideoProgress | None = None
    result: VideoResult | None = None
    failure: CaptureFailure | None = None
    request_id: str


class VideoDeleted(BaseModel):
    success: Literal[True] = True
    video_id: str


class VideoRecord(Record):
    """As a capture's; its only image is the film."""

    output_format: Literal["mp4", "webm"]  # type: ignore[assignment]
    width: int
    height: int
    frames: int = 0
    dressed: int = 0
    seconds: float = 0

    @classmethod
    def of(
        cls, output_format: str, size: tuple[int, int], base_url: str, lifetime_s: float, owner: str | None
    ) -> "VideoRecord":
        now = datetime.now(UTC)
        return cls.model_validate(
            {
                "result_id": new_result_id(),
                "request_id": current_request_id(),
                "base_url": base_url,
                "output_format": output_format,
                "created_at": now,
                "expires_at": now + timedelta(seconds=lifetime_s),
                "owner": owner,
                "width": size[0],
                "height": size[1],
            }
        )

    @property
    def film(self) -> str:
        return f"film.{self.output_format}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/api/video/{self.result_id}"

    def status(self, progress: VideoProgress | None) -> VideoStatus:
        result = None
        if self.state == "succeeded":
            result = VideoResult(
                **self.reports[0].model_dump(),
                url=f"{self.base_url}/results/videos/{self.result_id}/{self.film}",
                frames=self.frames,
                dressed=self.dressed,
                seconds=self.seconds,
                width=self.width,
                height=self.height,
            )
        return VideoStatus(
            video_id=self.result_id,
            state=self.state,
            url=self.url,
            created_at=self.created_at.isoformat(timespec="milliseconds"),
            expires_at=self.expires_at.isoformat(timespec="seconds"),
            progress=progress if self.state == "running" else None,
            result=result,
            failure=self.failure,
            request_id=self.request_id,
        )
