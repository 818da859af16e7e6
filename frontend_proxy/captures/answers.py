"""What clients receive about a capture, made from its record."""

from typing import Any

from frontend_proxy.answer_schemas import (
    CaptureImage,
    CaptureLight,
    CaptureProgress,
    CaptureResult,
    CaptureStatus,
)
from frontend_proxy.captures.record import Record
from frontend_proxy.image_text import to_data_uri


def status_url(record: Record) -> str:
    return f"{record.base_url}/virtual-tryon/{record.result_id}"


def images(record: Record) -> list[CaptureImage]:
    """The URLs of the samples of a capture that succeeded."""
    return [
        CaptureImage(
            url=f"{record.base_url}/results/{record.result_id}/{sample}.{record.output_format}",
            seed=report.seed,
        )
        for sample, report in enumerate(record.reports)
        if record.first_image
    ]


def result(record: Record, image: bytes) -> CaptureResult | CaptureLight:
    """The answer of a capture that succeeded; `image` is its first sample, or empty."""
    assert record.finished_at is not None
    common = record.reports[0].model_dump() | {
        "result_id": record.result_id,
        "timestamp": record.finished_at.isoformat(timespec="milliseconds"),
        "images": images(record),
        "expires_at": record.expires_at.isoformat(timespec="seconds"),
        "request_id": record.request_id,
    }
    if record.holds_lights:
        return CaptureLight(**common, **dict(record.light or {}), light=image or None)
    return CaptureResult(**common, result_image=to_data_uri(image, f"image/{record.output_format}"))


def status(
    record: Record, progress: CaptureProgress | None = None, image: bytes | None = None
) -> CaptureStatus:
    """`image` is the first sample of a capture that succeeded."""
    return CaptureStatus(
        result_id=record.result_id,
        state=record.state,
        url=status_url(record),
        created_at=record.created_at.isoformat(timespec="milliseconds"),
        expires_at=record.expires_at.isoformat(timespec="seconds"),
        progress=progress if record.state == "running" else None,
        result=None if image is None else result(record, image),
        failure=record.failure,
    )


def webhook_message(record: Record) -> dict[str, Any]:
    """The webhook's JSON, with the images' URLs instead of images. Types follow Standard Webhooks."""
    assert record.finished_at is not None
    return {
        "type": f"capture.{record.state}",
        "timestamp": record.finished_at.isoformat(timespec="milliseconds"),
        "data": {
            **status(record).model_dump(exclude={"success", "progress", "result"}),
            "images": [image.model_dump() for image in images(record)],
        },
    }
