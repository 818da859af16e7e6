"""Says what is wrong with each row, before anything is trained.

Sizes of light and difference are in grey levels, 0…255, as means over the pixels that are meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.errors import InvalidInput, NotAnImage
from pipeline.resize import size_of
from training.finetune.examples import Preparation, Prepared
from training.finetune.rows import PICTURES, Row

_SMALLEST = 64  # pixels of a side
_LONGEST_CAPTION = 300  # characters
# What a request has: a server takes no larger ones, unless MAX_IMAGE_BYTES and MAX_IMAGE_PIXELS say so.
_SENT = ("person", "render", "garment", "mask")
MOST_BYTES, MOST_PIXELS = 10 * 2**20, 25_000_000
# A garment of fewer pixels than this share of the picture, or of more, is none that was cut out.
_FEWEST, _MOST = 0.005, 0.95
# How much a photo that is the same shot may differ from the person outside the garment, and how much it at
# least differs within it.
_OTHER_SHOT, _SAME_PICTURE = 18.0, 1.0
# The garment's colour and the photo's are compared with hardly any light: one that is wrong by more than so
# many grey levels, after the best gain for each channel, is another garment's.
_OTHER_GARMENT = 65.0
# In shares of the picture's longer side.
_COARSE = 0.015


@dataclass(frozen=True)
class Fault:
    row: str
    what: str

    def __str__(self) -> str:
        return f"{self.row}: {self.what}"


class Refused(ValueError):
    """The dataset cannot be used; each fault is a line."""


def checked(rows: Sequence[Row], preparation: Preparation) -> None:
    """Raises Refused."""
    if faults := check(rows, preparation):
        wrong = len({fault.row for fault in faults})
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise Refused(f"{wrong} of {len(rows)} rows are wrong, and nothing was done:\n{listed}")


def check(rows: Sequence[Row], preparation: Preparation) -> list[Fault]:
    """Every fault of every row, in their order."""
    faults, seen = [], dict[str, str]()
    for row in rows:
        faults += [Fault(row.name, what) for what in _row_faults(row, preparation)]
        if row.path("photo") is None:
            continue
        if row.photo_digest in seen:
            faults.append(Fault(row.name, f"its photo is the very file of {seen[row.photo_digest]}'s"))
        seen.setdefault(row.photo_digest, row.name)
    return faults


def _row_faults(row: Row, preparation: Preparation) -> list[str]:
    wanted = "render" if preparation.needs_render else "garment"
    missing = [name for name in ("person", "photo") if row.path(name) is None]
    if missing:
        return [f"it has no {name}.jpg" for name in missing]
    if row.path("render") is None and (preparation.needs_render or row.path("garment") is None):
        return [
            f"it has no {wanted}.{'png' if wanted == 'render' else 'jpg'}, which this checkpoint learns from"
        ]
    if faults := [fault for name in PICTURES if row.path(name) and (fault := _file_fault(row, name))]:
        return faults
    try:
        prepared, caption = preparation.of(row), row.caption
    except (InvalidInput, NotAnImage, ValueError) as error:
        return [str(error)]
    return [*_caption_faults(caption), *_picture_faults(prepared, preparation)]


def _file_fault(row: Row, name: str) -> str | None:
    data = row.read(name)
    if name in _SENT and len(data) > MOST_BYTES:
        return (
            f"its {name} has {len(data)} bytes, and a server takes {MOST_BYTES}: make it smaller, or a JPEG"
        )
    decoded = _decoded(data)
    if decoded is None:
        return f"its {name} cannot be decoded"
    width, height = size_of(decoded)
    if name in _SENT and width * height > MOST_PIXELS:
        return f"its {name} has {width} × {height} pixels, and a server takes {MOST_PIXELS / 1e6:.0f} million"
    return None


def _decoded(data: np.ndarray) -> np.ndarray | None:
    try:
        decoded: np.ndarray | None = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return decoded


def _caption_faults(caption: str) -> list[str]:
    if len(caption) > _LONGEST_CAPTION:
        return [f"its caption has {len(caption)} characters, and {_LONGEST_CAPTION} are read at most"]
    return []


def _picture_faults(prepared: Prepared, preparation: Preparation) -> list[str]:
    person, photo, mask = prepared.person, prepared.photo, prepared.mask
    if min(size_of(person)) < _SMALLEST:
        return [f"its person has {size_of(person)[0]} × {size_of(person)[1]} pixels, and needs {_SMALLEST}"]
    if prepared.reason:
        if prepared.render is not None:
            return [f"no garment is found in its render ({prepared.reason})"]
        return [f"where its garment belongs is not known ({prepared.reason}): give pose.json or mask.png"]
    share = float((mask > 127).mean())
    if share < _FEWEST:
        return [f"its garment covers {share:.1%} of the picture: the render or the mask is nearly empty"]
    if share > _MOST:
        return [f"its garment covers {share:.0%} of the picture: the render or the mask is not cut out"]
    difference = np.abs(photo.astype(np.int16) - person).mean(axis=2)
    outside, inside = cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0, mask > 127
    faults = []
    if outside.any() and (found := float(difference[outside].mean())) > _OTHER_SHOT:
        faults.append(
            f"its photo is another shot: outside the garment it differs from the person by {found:.0f} grey "
            f"levels, and {_OTHER_SHOT:.0f} are allowed"
        )
    if preparation.needs_render:
        if float(difference[inside].mean()) < _SAME_PICTURE:
            faults.append("its photo is the same picture as its person: nobody wears the garment")
        if prepared.render is not None and (found := _other(prepared.render, photo, inside)) > _OTHER_GARMENT:
            faults.append(
                f"its render is another garment than the photo's: in any light its colours differ by "
                f"{found:.0f} grey levels"
            )
    return faults


def _other(render: np.ndarray, photo: np.ndarray, where: np.ndarray) -> float:
    """How much the photo's coarse colours differ from the render's with the best gain of each channel.

    Coarse ones, since threads and mirrors never lie where they are drawn.
    """
    sigma = _COARSE * max(size_of(render))
    drawn, wanted = (cv2.GaussianBlur(it, (0, 0), sigma)[where].astype(np.float64) for it in (render, photo))
    gain = (drawn * wanted).sum(axis=0) / np.maximum((drawn * drawn).sum(axis=0), 1)
    return float(np.abs(drawn * gain - wanted).mean())
