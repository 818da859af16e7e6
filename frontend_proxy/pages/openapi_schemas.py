"""The schemas of the OpenAPI description: of requests, of the same requests as forms, and of answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from catalog import Fabric, FabricDetails
from fabric.drape import NAMES
from frontend_proxy.answer_schemas import (
    CaptureDeleted,
    CaptureLight,
    CaptureResult,
    CaptureStatus,
    ErrorBody,
    ScanResult,
)
from frontend_proxy.batches.record import BatchDeleted, BatchLine, BatchStatus
from frontend_proxy.batches.request import Batch, BatchCapture
from frontend_proxy.collection.messages import Collect, Collected, Uncollected
from frontend_proxy.fashn.messages import FashnAccepted, FashnRun, FashnStatus
from frontend_proxy.health import HealthReport, Liveness, Readiness
from frontend_proxy.pages.openapi_operation import REFERENCE, Json
from frontend_proxy.schemas import Capture, ScanRequest, Video
from frontend_proxy.videos.record import VideoDeleted, VideoStatus


def _leave_out_null(schema: Json) -> None:
    """pydantic lists every computed field as required, also those that may be left out."""
    schema["required"] = [
        *("id", "name", "diffuseUrl", "normalUrl", "roughnessUrl", "thumbnail", "roughness", "metalness"),
        *("fabric_class", *NAMES, "drape_ranges", "tile_aspect"),
    ]


class FabricEntry(Fabric):
    """A fabric of the catalog. The URLs are absolute; a field that has no value is left out."""

    model_config = ConfigDict(json_schema_extra=_leave_out_null)

    drape_ranges: dict[str, list[float]]


class FabricAnswer(BaseModel):
    success: Literal[True]
    fabric: FabricEntry


class FabricList(BaseModel):
    success: Literal[True]
    fabrics: list[FabricEntry]
    count: int


class FabricDeleted(BaseModel):
    success: Literal[True]
    fabric_id: str


class Index(BaseModel):
    name: str
    status: str
    endpoints: dict[str, str]


_EMPTY = ""  # in a form, the text of a field that is left out
REQUESTS = (Capture, BatchCapture, Batch, FashnRun, Video, Collect, ScanRequest, FabricDetails)
ANSWERS = (
    *(
        CaptureResult,
        CaptureLight,
        CaptureStatus,
        CaptureDeleted,
        BatchStatus,
        BatchLine,
        BatchDeleted,
        FashnAccepted,
        FashnStatus,
        VideoStatus,
        VideoDeleted,
        Collected,
        Uncollected,
        ScanResult,
        FabricAnswer,
        FabricList,
        FabricDeleted,
        ErrorBody,
    ),
    *(HealthReport, Liveness, Readiness, Index),
)


def schemas(requests: tuple[type[BaseModel], ...], answers: tuple[type[BaseModel], ...]) -> Json:
    """The JSON Schemas (2020-12) of all models and of the models inside them, by name."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in requests] + [(model, "serialization") for model in answers],
        ref_template=REFERENCE,
    )
    return dict(definitions["$defs"])


def with_forms(found: Json, *models: type[BaseModel]) -> Json:
    """`found`, and for each of `models` the same fields as a form has them.

    In a form an image is a file, a field that is not text is JSON, and a field is left out instead of null:
    pages like Swagger UI send a null default as the text `null`.
    """
    file = {"type": "string", "format": "binary"}
    for model in models:
        schema = found[model.__name__]
        fields = {
            name: file if field.get("format") in ("image", "film") else _without_null(field)
            for name, field in schema["properties"].items()
        }
        found[f"{model.__name__}Form"] = {**schema, "properties": fields}
    return found


def _without_null(field: Json) -> Json:
    found = {name: value for name, value in field.items() if (name, value) != ("default", None)}
    if len(found) < len(field):
        found["example"] = _EMPTY  # pages fill in a made-up value otherwise
    if "anyOf" in found:
        found["anyOf"] = [kind for kind in found["anyOf"] if kind != {"type": "null"}]
        if found["anyOf"][0].get("type") == "array":
            found["example"] = []
    if "enum" in found:
        found["enum"] = [value for value in found["enum"] if value is not None]
    return found
