"""The garments of a request that brings several: a jacket over a shirt over trousers."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import InvalidInput
from pipeline.garment.garment_map import MAX_GARMENTS
from pipeline.garment.garment_picture import is_given
from pipeline.garment.region import CATEGORIES
from pipeline.tryon.conditioner import compressed

_NONE = np.zeros(1, np.uint8)


@dataclass(frozen=True)
class Garment:
    """
    index: its place in the request.
    layer: a garment lies over all those with a lower one, and over those before it with the same.
    category: one of CATEGORIES. fabric: its name, for the prompt.
    render, photo: compressed bytes, (N,) uint8; one byte means that there is none.
    """

    index: int
    layer: int
    category: str
    fabric: str
    render: np.ndarray
    photo: np.ndarray

    @property
    def is_rendered(self) -> bool:
        return is_given(self.render)


def read_garments(described: str | None, blob: Any | None) -> list[Garment]:
    """The garments from the lowest to the highest; none for None. Raises InvalidInput.

    described: a JSON list with an object for each garment, `layer`, `category`, `fabric`, and `render` and
        `photo`: the number of bytes that each of these has in `blob`, (N,) uint8, in this order.
    """
    if described is None:
        return []
    pictures = _NONE[:0] if blob is None else compressed(blob)
    try:
        entries = [dict(entry) for entry in json.loads(described)]
        sizes = [[int(entry.get(name) or 0) for name in ("render", "photo")] for entry in entries]
        layers = [int(entry["layer"]) for entry in entries]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"garments: not a list as model_repository/README.md has it: {error!r}") from error
    if len(entries) > MAX_GARMENTS:
        raise InvalidInput(f"garments: at most {MAX_GARMENTS} are allowed, not {len(entries)}")
    garments, start = [], 0
    for index, entry in enumerate(entries):
        taken = []
        for size in sizes[index]:
            taken.append(pictures[start : start + size] if size else _NONE)
            start += size
        garments.append(_garment(index, layers[index], entry, *taken))
    if start > pictures.size:
        raise InvalidInput(
            f"garments: {start} bytes of pictures are described, and {pictures.size} are there"
        )
    return sorted(garments, key=lambda garment: garment.layer)


def _garment(index: int, layer: int, entry: dict[str, Any], render: np.ndarray, photo: np.ndarray) -> Garment:
    category = entry.get("category") or "auto"
    if category not in CATEGORIES:
        raise InvalidInput(
            f"garments.{index}.category is {category!r}; it must be one of {', '.join(CATEGORIES)}"
        )
    if not is_given(render) and not is_given(photo):
        raise InvalidInput(
            f"garments.{index}.jacket_render is missing, and so is its garment_image; one of them is needed"
        )
    return Garment(index, layer, category, entry.get("fabric") or "", render, photo)
