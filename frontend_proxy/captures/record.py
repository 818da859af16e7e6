"""What is stored about a capture beside its images."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from frontend_proxy.answer_schemas import CaptureFailure, Light, Report
from frontend_proxy.errors import Interrupted, NotFound, ProxyError, error_body
from frontend_proxy.jobs import Job, Result

# 128 random bits in URL-safe base64: the last character holds only two of them.
RESULT_ID = r"[A-Za-z0-9_-]{21}[AQgw]"
IMAGE_NAME = r"(?:[0-3]\.(?:png|jpeg|webp)|film\.(?:mp4|webm)|batch\.msgpack)"

_RESULT_ID = re.compile(RESULT_ID)
_PNG = b"\x89PNG"


class Record(BaseModel):
    """Times are UTC. Unknown fields, which a newer proxy wrote, are ignored.

    owner: `callers.owner_of` the request that created it; None for an anonymous one.
    base_url: base of the URLs that the client gets.
    output_format: of the samples; WebP is that of lights.
    light: where the samples' lights lie, if they are lights.
    webhook_attempts, webhook_due: of the next delivery, while `webhook_pending` (without Redis only).
    """

    result_id: str
    request_id: str
    base_url: str
    output_format: Literal["png", "jpeg", "webp"]
    created_at: AwareDatetime
    expires_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    state: Literal["running", "succeeded", "failed"] = "running"
    reports: list[Report] = []  # one for each sample
    light: Light | None = None
    failure: CaptureFailure | None = None
    owner: str | None = None
    webhook_url: str | None = None
    webhook_pending: bool = False
    webhook_attempts: int = 0
    webhook_due: AwareDatetime | None = None

    @classmethod
    def begin(
        cls, job: Job, base_url: str, webhook_url: str | None, lifetime_s: float, owner: str | None = None
    ) -> "Record":
        """The record of a capture that is accepted now."""
        now = datetime.now(UTC)
        return cls(
            result_id=new_result_id(),
            request_id=job.request_id,
            base_url=base_url,
            output_format="webp" if job.output_format == "light" else job.output_format,
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime_s),
            owner=owner,
            webhook_url=webhook_url,
            webhook_pending=webhook_url is not None,
        )

    @property
    def expired(self) -> bool:
        return self.expires_at <= datetime.now(UTC)

    def belongs_to(self, owner: str | None) -> bool:
        """Whether this caller may read, cancel and delete it. An anonymous capture belongs to everybody who
        knows its id."""
        return self.owner is None or self.owner == owner

    @property
    def holds_lights(self) -> bool:
        """Instead of pictures."""
        return self.output_format == "webp"

    @property
    def first_image(self) -> str | None:
        """The name of the first sample; None where nothing was painted and a light was asked for."""
        return None if self.holds_lights and self.light is None else f"0.{self.output_format}"

    def take(self, results: list[Result]) -> list[bytes]:
        """The capture succeeded; returns what is to be stored: lights, or pictures where there are none."""
        self.succeed([result.report for result in results])
        images = [result.image for result in results]
        if self.holds_lights:
            self.light = results[0].light
            if self.light is None and images[0].startswith(_PNG):
                self.output_format = "png"
        return images if self.first_image else []

    def succeed(self, reports: list[Report]) -> None:
        self.state, self.reports, self.finished_at = "succeeded", reports, datetime.now(UTC)

    def fail(self, error: ProxyError) -> None:
        self.state, self.finished_at = "failed", datetime.now(UTC)
        body = error_body(error.code, str(error)) | {"request_id": self.request_id}
        self.failure = CaptureFailure(**body, status=error.status, retry_after=error.retry_after)


def new_result_id() -> str:
    """128 random bits."""
    return secrets.token_urlsafe(16)


def is_result_id(text: str) -> bool:
    return _RESULT_ID.fullmatch(text) is not None


def no_such_capture(result_id: str) -> NotFound:
    return NotFound(f"there is no capture {result_id!r}, or it has expired")


def was_interrupted(record: Record) -> bool:
    return record.failure is not None and record.failure.code == Interrupted.code


def interrupted() -> Interrupted:
    """The error of a capture whose process ended before the capture did."""
    return Interrupted("the server stopped before this capture was finished; send it again")
