"""What each method of the clients sends and reads: pure, for the synchronous and the asynchronous client."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from lucy_client import models, pictures
from lucy_client.answer import picture_of
from lucy_client.errors import LucyError
from lucy_client.pictures import Picture

T = TypeVar("T")

KEY = "Idempotency-Key"


class CaptureResult(models.CaptureResult, models.CaptureLight):
    """A capture's answer. `images` has the URLs of all samples; `image` is the first one.

    Asked for with `answer="light"`, it has `light` and what belongs to it, and no picture.
    """

    answer: Any = "picture"
    result_image: str = ""

    @property
    def image(self) -> bytes:
        """Raises LucyError if the answer is a light."""
        if not self.result_image:
            raise LucyError('the answer is a light: a picture needs answer="picture"', "INVALID_INPUT")
        return picture_of(self.result_image)

    def save(self, path: str | Path) -> None:
        """The picture as the server made it: PNG, or JPEG with `output_format="jpeg"`. Raises as `image`."""
        Path(path).write_bytes(self.image)


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. read: makes the method's answer of the body of a 2xx answer.

    repeatable: sent twice, it has the effect of one, so that it is repeated where no answer came.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    repeatable: bool = True
    json: Any = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, bytes] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, body: bytes) -> T:
        """Raises LucyError if it is none of this server's, like a login page before it."""
        try:
            return self.read(body)
        except (ValueError, KeyError, TypeError) as error:
            raise LucyError(f"what answered {self.path} is not Lucy Serve", "UNREACHABLE") from error

    def with_header(self, name: str, value: str) -> "Call[T]":
        return replace(self, headers={**self.headers, name: value})


def capture(user_image: Picture, idempotency_key: str | None, options: dict[str, Any]) -> Call[CaptureResult]:
    """A form: pictures as files, what is no text as JSON."""
    given, files = pictures.as_form({"user_image": user_image, **options})
    return Call(
        "POST",
        "/virtual-tryon",
        CaptureResult.model_validate_json,
        form=_form(given),
        files=files,
        headers=_key(idempotency_key),
    )


def submission(call: Call[CaptureResult]) -> Call[models.CaptureStatus]:
    """The same capture, for which nobody waits on the connection."""
    return Call(
        call.method,
        call.path,
        models.CaptureStatus.model_validate_json,
        form=call.form,
        files=call.files,
        headers={**call.headers, "Prefer": "respond-async"},
    )


def capture_status(result_id: str) -> Call[models.CaptureStatus]:
    return Call("GET", f"/virtual-tryon/{result_id}", models.CaptureStatus.model_validate_json)


def delete_capture(result_id: str) -> Call[None]:
    return Call("DELETE", f"/virtual-tryon/{result_id}", _nothing)


def scan(image: Picture, options: dict[str, Any]) -> Call[models.ScanResult]:
    photos = {"image": image, "image_flash": options.pop("image_flash", None)}
    return Call(
        "POST",
        "/api/fabric/scan",
        models.ScanResult.model_validate_json,
        repeatable=not options.get("save"),
        form=_form(options),
        files={name: pictures.read(photo) for name, photo in photos.items() if photo is not None},
    )


def fabrics(tag: str | None, text: str | None) -> Call[list[models.FabricEntry]]:
    params = {name: value for name, value in (("tag", tag), ("text", text)) if value is not None}
    return Call("GET", "/api/fabric/catalog", _fabrics, params=params)


def fabric(fabric_id: str) -> Call[models.FabricEntry]:
    return Call("GET", f"/api/fabric/{fabric_id}", _fabric)


def replace_fabric(entry: models.FabricEntry) -> Call[models.FabricEntry]:
    body = entry.model_dump(mode="json", exclude_unset=True)
    return Call("PUT", f"/api/fabric/{entry.id}", _fabric, json=body)


def delete_fabric(fabric_id: str) -> Call[None]:
    return Call("DELETE", f"/api/fabric/{fabric_id}", _nothing)


def batch(
    captures: Sequence[dict[str, Any]], webhook_url: str | None, idempotency_key: str | None
) -> Call[models.BatchStatus]:
    named, images = pictures.shared(list(captures))
    body: dict[str, Any] = {"captures": named, "images": images}
    if webhook_url is not None:
        body["webhook_url"] = webhook_url
    headers = _key(idempotency_key)
    return Call("POST", "/api/batches", models.BatchStatus.model_validate_json, json=body, headers=headers)


def batch_status(batch_id: str) -> Call[models.BatchStatus]:
    return Call("GET", f"/api/batches/{batch_id}", models.BatchStatus.model_validate_json)


def has_ended(status: models.BatchStatus) -> bool:
    return status.state in ("completed", "cancelled")


def batch_results(batch_id: str) -> Call[list[models.BatchLine]]:
    return Call("GET", f"/api/batches/{batch_id}/results", _lines)


def cancel_batch(batch_id: str) -> Call[models.BatchStatus]:
    return Call("POST", f"/api/batches/{batch_id}/cancel", models.BatchStatus.model_validate_json)


def delete_batch(batch_id: str) -> Call[None]:
    return Call("DELETE", f"/api/batches/{batch_id}", _nothing)


def health() -> Call[models.HealthReport]:
    return Call("GET", "/health", models.HealthReport.model_validate_json)


def _form(fields: Mapping[str, Any]) -> dict[str, str]:
    """What is no text, as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
        if value is not None
    }


def _key(idempotency_key: str | None) -> dict[str, str]:
    return {KEY: idempotency_key or uuid.uuid4().hex}


def _nothing(body: bytes) -> None:
    return None


def _fabric(body: bytes) -> models.FabricEntry:
    return models.FabricEntry.model_validate(json.loads(body)["fabric"])


def _fabrics(body: bytes) -> list[models.FabricEntry]:
    return [models.FabricEntry.model_validate(entry) for entry in json.loads(body)["fabrics"]]


def _lines(body: bytes) -> list[models.BatchLine]:
    return [models.BatchLine.model_validate_json(line) for line in body.splitlines()]
