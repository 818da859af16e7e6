"""The wire contract's requests as pydantic models: what clients may send. Answers are in answer_schemas.py.

Unknown fields are ignored, so that newer clients work. Everything that existing clients send is accepted:
poses of any shape, NaN, images with or without the `data:` prefix, unknown fabric ids.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from fabric.material import FABRIC_CLASSES
from fabric.options import SIZES
from frontend_proxy.errors import InvalidInput
from frontend_proxy.field_types import (
    AnyPose,
    Echoed,
    FilmBytes,
    FromJson,
    Id,
    ImageBytes,
    JsonLines,
    OptionalFilmBytes,
    OptionalImageBytes,
    RenderBytes,
    read_image,
    read_optional_image,
)
from frontend_proxy.garments import PICTURES as GARMENT_PICTURES
from frontend_proxy.garments import Category, Garment
from frontend_proxy.parsing import parse_json
from pipeline.garment.garment_map import MAX_GARMENTS

MAX_SEED = 2**53 - 1  # the largest integer that JavaScript keeps exact


Garments = Annotated[list[Garment], Field(max_length=MAX_GARMENTS)]


class TryOn(BaseModel):
    """The fields that keyframes and captures share.

    `garment_image` is a photo of the garment, flat or worn, for checkpoints that take one; it may stand in
    for the render. `mask` is white where the garment is; it covers the render's canvas, or else the frame.
    `garments` are several garments, with `fabric_id` and `category` for those that have none of their own.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    garment_image: OptionalImageBytes = None
    category: Category | None = None
    mask: OptionalImageBytes = None
    garments: Annotated[Garments | None, FromJson] = None

    pose: AnyPose = None
    fabric_id: Id | None = None
    render_fit: Literal["auto", "stretch", "contain", "cover", "body"] | None = None
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    steps: int | None = Field(None, ge=1)
    strength: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    guidance_scale: float | None = Field(None, ge=0, le=30, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_or_several(self) -> "TryOn":
        for name in ("jacket_render", "garment_image", "mask"):
            if self.garments and getattr(self, name, None):
                raise ValueError(f"{name}: is for one garment only; beside garments it must be left out")
        return self


class Keyframe(TryOn):
    """A WebSocket message of type `keyframe`.

    `timestamp` and `frame_id` are sent back unchanged. `quality` chooses the number of steps by name;
    `steps` overrides it. Keyframes with the same `session_id` share their noise, also across connections.
    `answer`: a picture, or the light for a client that draws frame and jacket itself. A checkpoint without a
    light answers a picture.
    """

    timestamp: Echoed = None
    frame_id: Echoed = None
    session_id: Id | None = None
    camera_frame: ImageBytes
    jacket_render: RenderBytes = None
    quality: Literal["low", "medium", "high"] = "medium"
    answer: Literal["picture", "light"] = "picture"


def _one_garment(schema: dict[str, Any]) -> None:
    """Says what a capture needs: a render or a photo of the garment, or several garments."""
    schema["required"] = [name for name in schema["required"] if name not in GARMENT_PICTURES]
    schema["anyOf"] = [
        {"required": [name], "properties": {name: {"type": "string", "format": "image"}}}
        for name in GARMENT_PICTURES
    ] + [{"required": ["garments"], "properties": {"garments": {"type": "array", "minItems": 1}}}]


class Capture(TryOn):
    """The body of `POST /virtual-tryon`, as JSON or as a form.

    It has a `jacket_render`, a `garment_image` or `garments`. The samples' seeds count up from `seed`.
    `webhook_url` is notified when an asynchronous capture ends. `answer`: as of a keyframe.
    `physical_height_mm`: the person's, for which the answer has `measurements`.
    """

    model_config = ConfigDict(json_schema_extra=_one_garment)

    user_image: ImageBytes
    jacket_render: OptionalImageBytes
    num_samples: int = Field(1, ge=1, le=4)
    output_format: Literal["png", "jpeg"] = "png"
    answer: Literal["picture", "light"] = "picture"
    webhook_url: str | None = Field(None, max_length=2048)
    physical_height_mm: float | None = Field(None, ge=500, le=2500, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_render(cls, fields: Any) -> Any:
        """Beside a `garment_image` or `garments`, a missing render is none."""
        if fields.get("garment_image") is None and fields.get("garments") is None:
            return fields
        return {"jacket_render": None, **fields}

    @field_validator("jacket_render", mode="before")
    @classmethod
    def _read_render(cls, value: object, checked: ValidationInfo) -> object:
        """Without a `garment_image` and `garments` it is needed. One that is no image has an own error."""
        needed = checked.data.get("garment_image", b"") is None and not checked.data.get("garments", True)
        return read_image(value) if needed else read_optional_image(value)


class Video(BaseModel):
    """The body of `POST /api/video`, as a form or as JSON.

    `layer` is the rendered garment, with alpha or opaque over the clip; `mask` is white where the garment is,
    for a layer without alpha. `poses` are JSON lines: one for each frame, or each with its `time` in seconds.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    video: FilmBytes
    layer: FilmBytes
    mask: OptionalFilmBytes = None
    poses: JsonLines = None
    format: Literal["mp4", "webm"] = "mp4"
    category: Category | None = None
    fabric_id: Id | None = None
    render_fit: Literal["auto", "stretch", "contain", "cover", "body"] | None = None
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    steps: int | None = Field(None, ge=1)


class ScanRequest(BaseModel):
    """The fields of `POST /api/fabric/scan`. `fabric.ScanOptions` documents the options and their limits."""

    image: ImageBytes
    image_flash: OptionalImageBytes = None  # the same cloth with the phone's flash
    name: str | None = Field(None, max_length=120)  # as in the catalog
    save: bool = False
    corners: Annotated[list[tuple[float, float]] | None, FromJson] = None
    fabric_class: Id | None = Field(None, json_schema_extra={"enum": [*FABRIC_CLASSES, None]})
    size: int | None = Field(None, json_schema_extra={"enum": [*SIZES, None]})
    physical_width_mm: float | None = Field(None, json_schema_extra={"minimum": 1, "maximum": 10_000})
    white_point: Annotated[list[float] | None, FromJson] = None
    format: Id | None = Field(None, json_schema_extra={"enum": ["jpeg", "png", None]})

    def options(self) -> dict[str, Any]:
        """The options that the client gave, as arguments of `fabric.ScanOptions`.

        An empty list is none: pages that fill in a form by its schema send it for a list that nobody gave.
        """
        given = self.model_dump(exclude={"image", "image_flash", "name", "save"}, exclude_none=True)
        return {name: value for name, value in given.items() if value != []}


Model = TypeVar("Model", bound=BaseModel)


def parse_object(text: str | bytes | bytearray) -> dict[str, Any]:
    """A JSON object, or a string that holds one: some clients encode twice.

    Raises InvalidInput for anything else, and for what `parse_json` refuses.
    """
    try:
        value = parse_json(text)
        if isinstance(value, str):
            value = parse_json(value)
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"a JSON object is needed, not {type(value).__name__}")
    return value


def _has_default(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and not field.is_required() and field.default is not None


def validate(model: type[Model], fields: dict[str, Any]) -> Model:
    """Null means the default. Raises InvalidInput that names the first three wrong fields and says why."""
    kept = {name: it for name, it in fields.items() if it is not None or not _has_default(model, name)}
    try:
        return model.model_validate(kept)
    except ValidationError as error:
        wrong = [
            ": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, "))))
            for e in error.errors(include_input=False)
        ]
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise InvalidInput("; ".join(wrong[:3]) + more) from error
