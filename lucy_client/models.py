"""The server's answers. Made from its `/openapi.json` by `lucy_client.generate`; do not edit."""

# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any, Literal

from lucy_client.answer import Answer


class CaptureFailure(Answer):
    success: Literal[False] = False
    error: str
    detail: str
    code: str
    request_id: str
    status: int
    retry_after: int | None = None


class BatchLine(Answer):
    index: int
    state: Literal["succeeded", "failed", "cancelled"]
    custom_id: str | None = None
    result: dict[str, Any] | None = None
    failure: CaptureFailure | None = None


class BatchCounts(Answer):
    total: int
    waiting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class BatchStatus(Answer):
    batch_id: str
    state: Literal["running", "cancelling", "completed", "cancelled"]
    counts: BatchCounts
    url: str
    results_url: str
    created_at: str
    expires_at: str
    request_id: str
    success: Literal[True] = True
    finished_at: str | None = None


class CaptureImage(Answer):
    url: str
    seed: int | None = None


class GarmentReport(Answer):
    layer: int
    painted: bool
    reason: str | None = None
    category: str | None = None
    visible_share: float | None = None
    hidden_by: list[int] = []


class Measurements(Answer):
    basis: Literal["body", "trunk"]
    shoulder_width: int
    torso: int | None = None
    hip_width: int | None = None
    sleeve: int | None = None
    leg: int | None = None


class CaptureLight(Answer):
    mode: Literal["ai_enhanced", "fallback"]
    result_id: str
    timestamp: str
    images: list[CaptureImage]
    expires_at: str
    request_id: str
    crop: list[float] | None = None
    anchor: list[list[float]] | None = None
    layer_matrix: list[float] | None = None
    occlusion: str | None = None
    light_coding: dict[str, Any] | None = None
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
    success: Literal[True] = True
    answer: Literal["light"] = "light"
    light: str | None = None


class CaptureResult(Answer):
    mode: Literal["ai_enhanced", "fallback"]
    result_id: str
    timestamp: str
    images: list[CaptureImage]
    expires_at: str
    request_id: str
    result_image: str
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
    success: Literal[True] = True
    answer: Literal["picture"] = "picture"


class CaptureProgress(Answer):
    step: int
    steps: int
    preview: str | None = None


class CaptureStatus(Answer):
    result_id: str
    state: Literal["running", "succeeded", "failed"]
    url: str
    created_at: str
    expires_at: str
    success: Literal[True] = True
    progress: CaptureProgress | None = None
    result: CaptureResult | CaptureLight | None = None
    failure: CaptureFailure | None = None


class Texture(Answer):
    sha256: str
    media_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_bytes: int
    color_space: Literal["srgb", "linear"]
    normal_convention: Literal["opengl"] | None = None


class FabricEntry(Answer):
    name: str
    fabric_class: str | None = None
    weight_gsm: float | None = None
    thickness_mm: float | None = None
    stretch_warp: float | None = None
    stretch_weft: float | None = None
    bend: float | None = None
    roughness: float
    metalness: float
    id: str
    drape_ranges: dict[str, list[float]]
    tile_aspect: float
    diffuseUrl: str | None = None
    normalUrl: str | None = None
    roughnessUrl: str | None = None
    thumbnail: str | None = None
    description: str | None = None
    tags: list[str] = []
    fibre: str | None = None
    weave: str | None = None
    tile_width_mm: float | None = None
    license: str | None = None
    material: dict[str, Any] = {}
    quality: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    textures: dict[str, Texture] | None = None
    repeat_mm: list[float] | None = None
    aoUrl: str | None = None
    heightUrl: str | None = None
    ormUrl: str | None = None
    alphaUrl: str | None = None


class Licence(Answer):
    name: str
    commercial: bool | None = None
    note: str


class ServedModel(Answer):
    checkpoint: str
    profile: str
    precision: str
    loras: list[str] = []
    family: str = "unknown"
    licence: Licence | None = None
    stand_ins: list[str] = []


class HealthReport(Answer):
    status: Literal["healthy", "degraded"]
    timestamp: str
    ai_model_loaded: bool
    ai_model_loading: bool
    ai_model_error: str | None = None
    fabric_processor_ready: bool
    device: str
    active_connections: int
    model: ServedModel | None = None


class ScanRepeat(Answer):
    period_px: float
    period_mm: float | None = None
    confidence: float


class ScanQuality(Answer):
    sharpness: float
    contrast: float
    brightness: float
    clipped: float
    evenness: float
    light_unevenness: float
    flatness: float
    wrap_ratio: float
    repeat_x: ScanRepeat | None = None
    repeat_y: ScanRepeat | None = None
    rotation_degrees: float
    outline: list[list[float]] | None = None
    outline_confidence: float
    white_point: list[float] | None = None
    flash: float | None = None
    tile_corners: list[list[float]]
    tile_width_mm: float | None = None
    tile_aspect: float
    roughness_seen: float | None = None
    advice: list[str]


class ScanResult(Answer):
    fabric_id: str
    name: str
    diffuseUrl: str
    normalUrl: str
    roughnessUrl: str
    aoUrl: str
    heightUrl: str
    ormUrl: str
    thumbnail: str
    roughness: float
    metalness: float
    tile_aspect: float
    repeat_mm: list[float] | None = None
    fabric_class: str
    weight_gsm: float
    thickness_mm: float
    stretch_warp: float
    stretch_weft: float
    bend: float
    drape_ranges: dict[str, list[float]]
    material: dict[str, Any]
    quality: ScanQuality
    success: Literal[True] = True
    alphaUrl: str | None = None
    detail: str | None = None
