"""The wire contract's answers as pydantic models: what clients get. schemas.py has what they send."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from frontend_proxy.field_types import JpegDataUri, WebpDataUri
from frontend_proxy.measurements import Measurements

# A map's name in `fabric` and `catalog` to its name in the wire contract.
URL_FIELDS = {
    "diffuse": "diffuseUrl",
    "normal": "normalUrl",
    "roughness_map": "roughnessUrl",
    "ao": "aoUrl",
    "height": "heightUrl",
    "orm": "ormUrl",
    "alpha": "alphaUrl",
    "thumbnail": "thumbnail",
}


class ErrorBody(BaseModel):
    """The JSON body of every error.

    One client shows `error`, another `detail`: both hold the whole sentence.
    """

    success: Literal[False]
    error: str
    detail: str
    code: str
    request_id: str


class ScanRepeat(BaseModel):
    """How the cloth's pattern repeats along one axis of the tile."""

    period_px: float = Field(description="length of one repeat, in pixels of the maps")
    period_mm: float | None = Field(description="the same on the cloth; null if the photo's scale is unknown")
    confidence: float = Field(description="0 to 1")


class ScanQuality(BaseModel):
    """What was measured on a scan's photo and on its tile."""

    model_config = ConfigDict(extra="forbid")

    sharpness: float = Field(description="of the photo: the finest detail's share, 0 (blurred) to about 1")
    contrast: float = Field(description="of the photo's detail: standard deviation in sRGB, 0 to 1")
    brightness: float = Field(description="of the photo: its median in sRGB, 0 to 1")
    clipped: float = Field(description="share of the photo that is overexposed")
    evenness: float = Field(description="1 if all parts of the photo look alike, 0 if it is no single cloth")
    light_unevenness: float = Field(description="of the photo's light: deviation by mean, 0 is even")
    flatness: float = Field(description="the same of the tile, after the correction")
    wrap_ratio: float = Field(description="the step over the tile's border by those inside; 1 is seamless")
    repeat_x: ScanRepeat | None = Field(description="across the tile; null if nothing repeats")
    repeat_y: ScanRepeat | None = Field(description="down the tile; null if nothing repeats")
    rotation_degrees: float = Field(description="how far the cloth is turned in the photo, clockwise")
    outline: list[tuple[float, float]] | None = Field(
        description="the swatch's corners [x, y], clockwise from the top left, as shares of the upright "
        "photo's width and height, as `corners` takes them; null if the cloth fills the photo"
    )
    outline_confidence: float = Field(description="0 to 1; 1 for the request's own `corners`")
    white_point: tuple[float, float, float] | None = Field(
        description="the colour that was made neutral, [r, g, b] of 255; null if none was"
    )
    flash: float | None = Field(
        description="trust in a pair with and without flash, 0 to 1; null without one"
    )
    tile_corners: list[tuple[float, float]] = Field(
        description="the corners of the piece of cloth that became the tile, as in `outline`. The maps may "
        "begin elsewhere in it, since the tile repeats"
    )
    tile_width_mm: float | None = Field(description="null if the photo's scale is unknown")
    tile_aspect: float = Field(description="the tile's width by its height on the cloth")
    roughness_seen: float | None = Field(
        description="roughness by the flash's highlight; null where none is seen"
    )
    advice: list[str] = Field(description="sentences that say how to take a better photo")


class ScanResult(BaseModel):
    """The answer to a scan. The URLs are data URIs, or catalog URLs if the scan was saved.

    alphaUrl: opacity, only of cloth with holes. tile_aspect: the tile's width by its height on the cloth.
    repeat_mm: its width and height, null if the photo's scale is unknown. detail: how to get a better result.
    weight_gsm, thickness_mm, stretch_warp, stretch_weft, bend: for a simulation of drape, as in the catalog;
    typical of the class, whose lowest and highest values are in `drape_ranges`.
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
    repeat_mm: list[float] | None
    fabric_class: str
    weight_gsm: float
    thickness_mm: float
    stretch_warp: float
    stretch_weft: float
    bend: float
    drape_ranges: dict[str, list[float]]
    material: dict[str, Any]
    quality: ScanQuality
    detail: str | None = None


class GarmentReport(BaseModel):
    """What became of one of several garments.

    reason: why it was not painted, as a `mode_reason`. category: what it counted as, if that is known.
    visible_share: of its own pixels in the frame, how many are seen under the other garments and beside head
    and hands; of a garment that was painted from a photo, how much of its region no later one covers; null
    where it is not known, as of a single garment.
    hidden_by: the places in `garments` of those that lie over it.
    """

    layer: int
    painted: bool
    reason: str | None = None
    category: str | None = None
    visible_share: float | None = None
    hidden_by: list[int] = []


class Report(BaseModel):
    """How the model made an answer. `latency_ms` has the stages; `detail` explains in a sentence what the
    other fields leave open: why a fallback was used, or which part of the request was ignored. `category` is
    what the garment counted as, for checkpoints that take a photo of it. `garments` has one report for each
    of a request's `garments`, in their order; `measurements` are those of a capture with the person's height.
    """

    mode: Literal["ai_enhanced", "fallback"]
    mode_reason: str | None = None
    detail: str | None = None
    seed: int | None = None
    steps: int | None = None
    mask_source: str | None = None
    category: str | None = None
    alignment: Any = None
    garments: list[GarmentReport] | None = None
    measurements: Measurements | None = None
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


class CaptureAnswer(Report):
    """What every answer to a capture has. The report is the first sample's. The images are kept until
    `expires_at`."""

    success: Literal[True] = True
    result_id: str
    timestamp: str
    images: list[CaptureImage]
    expires_at: str
    request_id: str


class CaptureResult(CaptureAnswer):
    """The answer to a capture: `result_image` is a data URI of the first sample."""

    answer: Literal["picture"] = "picture"
    result_image: str


class CaptureLight(CaptureAnswer, Light):
    """The answer to a capture that asked for a light, as a keyframe's. `images` are all samples' lights."""

    answer: Literal["light"] = "light"
    light: WebpDataUri | None = None


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
    result: CaptureResult | CaptureLight | None = None
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
