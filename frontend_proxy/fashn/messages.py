"""FASHN's messages, as its public API documents them: what its clients send and get.

https://docs.fashn.ai. Inputs that have no counterpart here (`moderation_level`, `segmentation_free`,
`garment_photo_type`, `prompt`, `resolution`, `aspect_ratio`, `generation_mode`) are accepted and change
nothing.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from frontend_proxy.answer_schemas import CaptureFailure
from frontend_proxy.errors import InvalidInput
from frontend_proxy.field_types import AnyPose
from frontend_proxy.schemas import MAX_SEED, Category

# Which input is the garment. Their other models make no try-on.
GARMENTS = {
    "tryon-v1.6": "garment_image",
    "tryon-v1.5": "garment_image",
    "tryon-max": "product_image",
    "product-to-model": "product_image",
}
# Denoising steps by `mode`; None: the checkpoint's own.
STEPS = {"performance": 8, "balanced": None, "quality": 40}


class Inputs(BaseModel):
    """Pictures are data URIs, or URLs that the server fetches.

    `pose`, `mask` and `jacket_render` are this server's own, as a capture has them.
    """

    model_config = ConfigDict(protected_namespaces=())

    model_image: str = Field(max_length=2**25)
    garment_image: str | None = None
    product_image: str | None = None
    jacket_render: str | None = None
    mask: str | None = None
    pose: AnyPose = None
    category: Category | None = None
    mode: Literal["performance", "balanced", "quality"] = "balanced"
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    num_samples: int = Field(1, ge=1, le=4)
    num_images: int | None = Field(None, ge=1, le=4)
    output_format: Literal["png", "jpeg"] = "png"
    return_base64: bool = False


class FashnRun(BaseModel):
    """The body of `POST /v1/run`. `webhook_url` may also be in the query, and gets this server's webhooks."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: Literal["tryon-v1.6", "tryon-v1.5", "tryon-max", "product-to-model"]
    inputs: Inputs
    webhook_url: str | None = Field(None, max_length=2048)

    def pictures(self) -> dict[str, str]:
        """A capture's pictures by its names. Raises InvalidInput."""
        name = GARMENTS[self.model_name]
        garments = {"garment_image": getattr(self.inputs, name), "jacket_render": self.inputs.jacket_render}
        if not any(garments.values()):
            raise InvalidInput(f"inputs.{name}: a picture of the garment is needed")
        pictures = {"user_image": self.inputs.model_image, **garments, "mask": self.inputs.mask}
        return {field: picture for field, picture in pictures.items() if picture}

    def options(self, max_steps: int) -> dict[str, Any]:
        """A capture's other fields."""
        inputs, steps = self.inputs, STEPS[self.inputs.mode]
        return {
            "pose": inputs.pose,
            "category": inputs.category,
            "seed": inputs.seed,
            "num_samples": inputs.num_images or inputs.num_samples,
            "output_format": inputs.output_format,
            "steps": None if steps is None else min(steps, max_steps),
            "webhook_url": self.webhook_url,
        }


class FashnAccepted(BaseModel):
    """The answer of `POST /v1/run`."""

    id: str
    error: None = None


class FashnError(BaseModel):
    name: Literal[
        "ImageLoadError", "PoseError", "InputValidationError", "PipelineError", "InternalServerError"
    ]
    message: str


class FashnStatus(BaseModel):
    """The answer of `GET /v1/status/{id}`. output: URLs, or data URIs if `return_base64` was asked for."""

    id: str
    status: Literal["in_queue", "processing", "completed", "failed"]
    output: list[str] | None = None
    error: FashnError | None = None


_NAMES = {
    "IMAGE_DECODE": "ImageLoadError",
    "INVALID_INPUT": "InputValidationError",
    "INFERENCE_FAILED": "PipelineError",
}


def error_of(failure: CaptureFailure) -> FashnError:
    return FashnError.model_validate(
        {"name": _NAMES.get(failure.code, "InternalServerError"), "message": failure.error}
    )


_HOW_TO_TELL_WHERE = (
    "Send another picture, or inputs.pose, {landmarks: [33 points of MediaPipe Pose in "
    "model_image, each {x, y, z, visibility}]}, or inputs.mask, a picture, white where the garment goes"
)


def error_of_fallback(reason: str | None, detail: str | None) -> FashnError:
    """Their clients know no answer in which nothing was painted."""
    message = detail or f"nothing was painted: {reason}"
    if reason != "no_region":
        return FashnError(name="PipelineError", message=message)
    return FashnError(name="PoseError", message=f"{message}. {_HOW_TO_TELL_WHERE}")
