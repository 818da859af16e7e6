"""What is stored about a batch, and what clients receive about it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel

from frontend_proxy.answer_schemas import CaptureFailure
from frontend_proxy.captures import answers
from frontend_proxy.captures.record import Record, new_result_id
from frontend_proxy.errors import DeadlineExceeded, ProxyError, error_body
from frontend_proxy.holder import current_holder
from frontend_proxy.request_id import current_request_id

ItemState = Literal["waiting", "running", "succeeded", "failed", "cancelled"]


class BatchCounts(BaseModel):
    """How many captures of a batch are in each state."""

    total: int
    waiting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class BatchStatus(BaseModel):
    """`GET /api/batches/{id}`. `results_url` has the results of all captures that have ended, one a line."""

    success: Literal[True] = True
    batch_id: str
    state: Literal["running", "cancelling", "completed", "cancelled"]
    counts: BatchCounts
    url: str
    results_url: str
    created_at: str
    finished_at: str | None = None
    expires_at: str
    request_id: str


class BatchDeleted(BaseModel):
    success: Literal[True] = True
    batch_id: str


class BatchLine(BaseModel):
    """One line of a batch's results: a capture that has ended.

    index: its place in the request, from 0. result: as a capture's own, with URLs in place of the picture.
    """

    index: int
    custom_id: str | None = None
    state: Literal["succeeded", "failed", "cancelled"]
    result: dict[str, Any] | None = None
    failure: CaptureFailure | None = None


class BatchItem(BaseModel):
    """One capture of a batch. `result_id`: of the capture, whether it exists yet or not."""

    custom_id: str | None = None
    result_id: str
    state: ItemState = "waiting"
    failure: CaptureFailure | None = None

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")

    def fail(self, error: ProxyError, request_id: str) -> None:
        body = error_body(error.code, str(error)) | {"request_id": request_id}
        self.failure = CaptureFailure(**body, status=error.status, retry_after=error.retry_after)
        self.state = "failed"

    @classmethod
    def new(cls, custom_id: str | None) -> "BatchItem":
        return cls(custom_id=custom_id, result_id=new_result_id())


class BatchRecord(Record):
    """As a capture's. deadline: what has not begun until then fails. holder: of the place that it takes."""

    output_format: Literal["jsonl"] = "jsonl"  # type: ignore[assignment]
    state: Literal["running", "completed", "cancelled"] = "running"  # type: ignore[assignment]
    items: list[BatchItem]
    deadline: AwareDatetime
    holder: str | None = None

    @classmethod
    def of(
        cls,
        items: list[BatchItem],
        base_url: str,
        lifetime_s: float,
        kept_s: float,
        owner: str | None,
        webhook_url: str | None,
    ) -> "BatchRecord":
        """lifetime_s: seconds that it may take. kept_s: seconds that its results are kept after that."""
        now = datetime.now(UTC)
        deadline = now + timedelta(seconds=lifetime_s)
        return cls(
            result_id=new_result_id(),
            request_id=current_request_id(),
            base_url=base_url,
            created_at=now,
            deadline=deadline,
            expires_at=deadline + timedelta(seconds=kept_s),
            owner=owner,
            webhook_url=webhook_url,
            webhook_pending=webhook_url is not None,
            items=items,
            holder=current_holder(),
        )

    @property
    def url(self) -> str:
        return f"{self.base_url}/api/batches/{self.result_id}"

    @property
    def running_items(self) -> list[BatchItem]:
        return [item for item in self.items if item.state == "running"]

    def counts(self) -> BatchCounts:
        return BatchCounts(total=len(self.items), **Counter(str(item.state) for item in self.items))

    def give_up_late_items(self) -> None:
        """After the deadline, what waits fails; what is being made may end."""
        if datetime.now(UTC) < self.deadline:
            return
        late = DeadlineExceeded("the batch took longer than allowed; send the rest again")
        for item in self.items:
            if item.state == "waiting":
                item.fail(late, self.request_id)

    def finish(self, cancelled: bool) -> None:
        self.finished_at = datetime.now(UTC)
        self.state = "cancelled" if cancelled else "completed"

    def status(self, cancelling: bool = False) -> BatchStatus:
        return BatchStatus(
            batch_id=self.result_id,
            state="cancelling" if cancelling and self.state == "running" else self.state,
            counts=self.counts(),
            url=self.url,
            results_url=f"{self.url}/results",
            created_at=self.created_at.isoformat(timespec="milliseconds"),
            finished_at=self.finished_at and self.finished_at.isoformat(timespec="milliseconds"),
            expires_at=self.expires_at.isoformat(timespec="seconds"),
            request_id=self.request_id,
        )


def line(index: int, item: BatchItem, capture: Record | None) -> BatchLine:
    """capture: the record of a capture that succeeded."""
    result = None
    if capture is not None:
        pictures = {"result_image", "light", "occlusion"}
        result = answers.result(capture, b"").model_dump(exclude=pictures)
    return BatchLine.model_validate(
        {
            "index": index,
            "custom_id": item.custom_id,
            "state": item.state,
            "result": result,
            "failure": item.failure,
        }
    )


def webhook_message(record: Record) -> dict[str, Any]:
    """The webhook's JSON. Types follow Standard Webhooks."""
    assert isinstance(record, BatchRecord)
    status = record.status()
    data = status.model_dump(exclude={"success"})
    return {"type": f"batch.{record.state}", "timestamp": status.finished_at, "data": data}
