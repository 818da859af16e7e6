"""Which garment a request is about: what is kept from one keyframe to the next belongs to one garment."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.errors import InvalidInput
from pipeline.garment.garment_picture import is_given
from pipeline.tryon.conditioner import compressed
from pipeline.tryon.request import TryonRequest

NOT_USED = "garment_image was not used: the served checkpoint paints the jacket_render"


async def garment_choice(request: TryonRequest, pictures: Mapping[str, Any]) -> tuple[str, ...]:
    """Fabric and category, whether it is rendered, and a digest of the photo if there is one.

    pictures: `jacket_render` and `garment_image` among them. Raises InvalidInput if there is neither.
    """
    photo, render = (compressed(pictures[name]) for name in ("garment_image", "jacket_render"))
    if not is_given(photo) and not is_given(render):
        raise InvalidInput("jacket_render is missing, and so is garment_image; one of them is needed")
    digest = ""
    if is_given(photo):
        digest = (await asyncio.to_thread(hashlib.blake2b, np.ascontiguousarray(photo).data)).hexdigest()
    return request.fabric, request.category, "rendered" if is_given(render) else "", digest


def unused_photo(report: Mapping[str, Any], pictures: Mapping[str, Any]) -> dict[str, str]:
    """What the report must add if the request brought a photo of the garment that was not used.

    report: of `preprocess`, which has the category for every checkpoint that takes a photo.
    """
    used = "category" in report or not is_given(compressed(pictures["garment_image"]))
    return {} if used or report.get("detail") else {"detail": NOT_USED}
