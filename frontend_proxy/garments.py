"""One of several garments: as a request has it, and as a job does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from frontend_proxy.field_types import Id, OptionalImageBytes

Category = Literal["tops", "bottoms", "one-pieces", "auto"]
# A garment's pictures.
PICTURES = ("jacket_render", "garment_image")
_LAYERS = 100


class Garment(BaseModel):
    """A garment of a keyframe or capture: a `jacket_render`, a `garment_image`, or both.

    It lies over the garments with a lower `layer`, and over those before it with the same; by default the
    layer is its place in the list, from 0.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    jacket_render: OptionalImageBytes = None
    garment_image: OptionalImageBytes = None
    fabric_id: Id | None = None
    category: Category | None = None
    layer: int | None = Field(None, ge=-_LAYERS, le=_LAYERS)

    @model_validator(mode="after")
    def _has_a_picture(self) -> "Garment":
        if self.jacket_render is None and self.garment_image is None:
            raise ValueError("a jacket_render or a garment_image is needed")
        return self


@dataclass(frozen=True)
class GarmentJob:
    """The same for the model. fabric: its name. layer: never left out."""

    layer: int
    jacket_render: bytes | None = None
    garment_image: bytes | None = None
    category: str | None = None
    fabric: str | None = None


def layer_of(garment: Garment, place: int) -> int:
    return place if garment.layer is None else garment.layer


def pictures_of(garments: Sequence[Garment] | None) -> Iterator[tuple[str, bytes]]:
    """Every picture with its name in messages: `garments.1.jacket_render`."""
    for place, garment in enumerate(garments or ()):
        for name in PICTURES:
            if (picture := getattr(garment, name)) is not None:
                yield f"garments.{place}.{name}", picture


def renders_of(garments: Sequence[GarmentJob]) -> list[bytes]:
    """The renders from the lowest layer to the highest."""
    in_order = sorted(garments, key=lambda garment: garment.layer)
    return [garment.jacket_render for garment in in_order if garment.jacket_render is not None]
