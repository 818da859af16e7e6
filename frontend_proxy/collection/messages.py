"""What `/api/collect` reads and answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from frontend_proxy.errors import InvalidInput
from frontend_proxy.field_types import AnyPose, Id, ImageBytes, OptionalImageBytes


class Collect(BaseModel):
    """The body of `POST /api/collect`, as JSON or as a form: one row for fine-tuning.

    The pictures are those of a capture. The truth is either `photo`, the same shot in the real garment, or
    the `result_id` of a capture that the shopper has accepted. `consent` must be true: the person shown has
    agreed. With `blur_heads`, the default, the heads that `pose` and `photo_pose` tell are blurred before
    anything is stored, and a request in which no head is found is refused. `person` is any name of the person
    for the shop; rows of one person stay together, and only its digest is stored.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    consent: bool = False
    user_image: ImageBytes
    jacket_render: OptionalImageBytes = None
    garment_image: OptionalImageBytes = None
    mask: OptionalImageBytes = None
    pose: AnyPose = None
    photo: OptionalImageBytes = None
    photo_pose: AnyPose = None
    result_id: Id | None = None
    caption: str | None = Field(None, max_length=300)
    person: Id | None = None
    blur_heads: bool = True

    @field_validator("caption")
    @classmethod
    def _one_line(cls, caption: str | None) -> str | None:
        return " ".join(caption.split()) if caption else None

    def check(self) -> None:
        """Raises InvalidInput, in one sentence, if it is no row."""
        if not self.consent:
            raise InvalidInput("consent: must be true; without the person's agreement nothing is stored")
        if self.jacket_render is None and self.garment_image is None:
            raise InvalidInput("jacket_render, garment_image: one of them is needed")
        if (self.photo is None) == (self.result_id is None):
            raise InvalidInput("photo, result_id: send one of them, the truth of this row")


class Collected(BaseModel):
    """What is stored. `photo`: whether the truth is a photo or a capture that was accepted."""

    success: Literal[True] = True
    row_id: str
    photo: Literal["photo", "capture"]
    heads_blurred: bool


class Uncollected(BaseModel):
    success: Literal[True] = True
    row_id: str
