"""The wire contract as pydantic models: what clients may send, and what they get.

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
    WithJsonSchema,
    field_validator,
    model_validator,
)

from fabric.material import FABRIC_CLASSES
from fabric.options import SIZES
from frontend_proxy.errors import ErrorBody, InvalidInput
from frontend_proxy.field_types import (
    AnyPose,
    Echoed,
    FromJson,
    Id,
    ImageBytes,
    JpegDataUri,
    OptionalImageBytes,
    RenderBytes,
    WebpDataUri,
    read_image,
    read_optional_image,
)
from frontend_proxy.parsing import parse_json

MAX_SEED = 2**53 - 1  # the largest integer that JavaScript keeps exact


Category = Literal["tops", "bottoms", "one-pieces", "auto"]


class TryOn(BaseModel):
    """The fields that keyframes and captures share.

    `garment_image` is a photo of the garment, flat or worn, for checkpoints that take one; it may stand in
    for the render. `mask` is white where the garment is; it covers the render's canvas, or else the frame.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    garment_image: OptionalImageBytes = None
    category: Category | None = None
    mask: OptionalImageBytes = None

    pose: AnyPose = None
    fabric_id: Id | None = None
    render_fit: Literal["auto", "stretch", "contain", "cover", "body"] | None = None
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    steps: int | None = Field(None, ge=1)
    strength: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    guidance_scale: float | None = Field(None, ge=0, le=30, allow_inf_nan=False)


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
    """Says which pictures a capture needs: a render or a photo of the garment."""
    garments = ("jacket_render", "garment_image")
    schema["required"] = [name for name in schema["required"] if name not in garments]
    schema["anyOf"] = [
        {"required": [name], "properties": {name: {"type": "string", "format": "image"}}} for name in garments
    ]


class Capture(TryOn):
    """The body of `POST /virtual-tryon`, as JSON or as a form.

    It has a `jacket_render` or a `garment_image`. The samples' seeds count up from `seed`. `webhook_url` is
    notified when an asynchronous capture ends.
    """

    model_config = ConfigDict(json_schema_extra=_one_garment)

    user_image: ImageBytes
    jacket_render: OptionalImageBytes
    num_samples: int = Field(1, ge=1, le=4)
    output_format: Literal["png", "jpeg"] = "png"
    webhook_url: str | None = Field(None, max_length=2048)

    @model_validator(mode="before")
    @classmethod
    def _without_render(cls, fields: Any) -> Any:
        """Beside a `garment_image`, a missing render is none."""
        if fields.get("garment_image") is None:
            return fields
        return {"jacket_render": None, **fields}

    @field_validator("jacket_render", mode="before")
    @classmethod
    def _read_render(cls, value: object, checked: ValidationInfo) -> object:
        """Without a `garment_image` it is needed. One that is no image has an error of its own."""
        needed = checked.data.get("garment_image", b"") is None
        return read_image(value) if needed else read_optional_image(value)


class ScanRequest(BaseModel):
    """The fields of `POST /api/fabric/scan`. `fabric.ScanOptions` documents the options and their limits."""

    image: ImageBytes
    name: str | None = Field(None, max_length=120)  # as in the catalog
    save: bool = False
    corners: Annotated[list[tuple[float, float]] | None, FromJson] = None
    fabric_class: Id | None = Field(None, json_schema_extra={"enum": [*FABRIC_CLASSES, None]})
    size: int | None = Field(None, json_schema_extra={"enum": [*SIZES, None]})
    physical_width_mm: float | None = Field(None, json_schema_extra={"minimum": 1, "maximum": 10_000})
    format: Id | None = Field(None, json_schema_extra={"enum": ["jpeg", "png", None]})

    def options(self) -> dict[str, Any]:
        """The options that the client gave, as arguments of `fabric.ScanOptions`."""
        return self.model_dump(exclude={"image", "name", "save"}, exclude_none=True)


class ScanResult(BaseModel):
    """The answer to a scan. The URLs are data URIs, or catalog URLs if the scan was saved.

    alphaUrl: opacity, only of cloth with holes. tile_aspect: the tile's width by its height on the cloth.
    detail: how to get a better result.
    """

    success: Literal[True] = True
    fabric_id: str
    name: str
    diffuseUrl: str
    normalUrl: str
    roughnessUrl: str
    aoUrl: str
    heightUrl: str
    ormUrl: str
    alphaUrl: str | None = None
    thumbnail: str
    roughness: float
    metalness: float
    tile_aspect: float
    material: dict[str, Any]
    quality: dict[str, Any]
    detail: str | None = None


class Report(BaseModel):
    """How the model made an answer. `latency_ms` has the stages; `detail` explains in a sentence what the
    other fields leave open: why a fallback was used, or which part of the request was ignored. `category` is
    what the garment counted as, for checkpoints that take a photo of it."""

    mode: Literal["ai_enhanced", "fallback"]
    mode_reason: str | None = None
    detail: str | None = None
    seed: int | None = None
    steps: int | None = None
    mask_source: str | None = None
    category: str | None = None
    alignment: Any = None
    latency_ms: dict[str, float] = {}


class KeyframeAnswer(Report):
    """What every answer to a keyframe has.

    reused: the scene had not changed, so this is the picture or light of an earlier answer.
    """

    type: Literal["keyframe_result"] = "keyframe_result"
    timestamp: Any
    frame_id: Any = None
    reused: bool = False
    request_id: str


class KeyframeResult(KeyframeAnswer):
    """The answer to a keyframe: a picture of the camera frame's size."""

    answer: Literal["picture"] = "picture"
    image: JpegDataUri


LightCoding = Annotated[
    dict[str, float],
    WithJsonSchema(
        {
            "type": "object",
            "description": "the numbers of the formula in docs/websocket.md",
            "properties": {name: {"type": "number"} for name in ("range", "floor", "sigma", "detail_gain")},
        }
    ),
]


class Light(BaseModel):
    """Where a light lies, and how it is applied. Places are shares of the frame's width and height.

    crop: x, y, width, height of what `light` and `occlusion` cover.
    anchor: left and right shoulder in the keyframe; null without a pose.
    layer_matrix: from places on the frame to places on the render's canvas, two rows of three numbers; null
        if the canvas is stretched over the frame.
    occlusion: white where head and hands hide the canvas; of an opaque canvas, all but the garment.
    """

    crop: list[float] | None = None
    anchor: list[tuple[float, float]] | None = None
    layer_matrix: list[float] | None = None
    occlusion: WebpDataUri | None = None
    light_coding: LightCoding | None = None


class KeyframeLight(KeyframeAnswer, Light):
    """The answer to a keyframe that asked for a light.

    light: the logarithm of the factor for each channel over `crop`; null in a fallback, where nothing changes
        the light that the client has.
    """

    answer: Literal["light"] = "light"
    light: WebpDataUri | None = None


class CaptureImage(BaseModel):
    """One sample: its URL, and the seed that it was made from."""

    url: str
    seed: int | None


class CaptureResult(Report):
    """The answer to a capture. `result_image` is a data URI of the first sample; the report is also the first
    sample's. The images are kept until `expires_at`.
    """

    success: Literal[True] = True
    result_image: str
    result_id: str
    timestamp: str
    images: list[CaptureImage]
    expires_at: str
    request_id: str


class CaptureProgress(BaseModel):
    """`step` of `steps` are done, over all samples; `preview` is a small picture of the first sample."""

    step: int
    steps: int
    preview: JpegDataUri | None = None


class CaptureFailure(ErrorBody):
    """Why a capture failed: the error body and HTTP status that a synchronous capture would get."""

    status: int
    retry_after: int | None = None


class CaptureDeleted(BaseModel):
    success: Literal[True] = True
    result_id: str


class CaptureStatus(BaseModel):
    """`GET /virtual-tryon/{id}`. A running capture has `progress` once the model has started on it."""

    success: Literal[True] = True
    result_id: str
    state: Literal["running", "succeeded", "failed"]
    url: str
    created_at: str
    expires_at: str
    progress: CaptureProgress | None = None
    result: CaptureResult | None = None
    failure: CaptureFailure | None = None


class ErrorMessage(BaseModel):
    """An error on the WebSocket; `error` and `detail` are the same sentence, as on HTTP."""

    type: Literal["error"] = "error"
    success: Literal[False] = False
    error: str
    detail: str
    code: str
    timestamp: Any = None
    frame_id: Any = None
    request_id: str


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
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_input=False)
        ]
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise InvalidInput("; ".join(wrong[:3]) + more) from error
