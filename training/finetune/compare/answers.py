"""Rows' pictures as a client gets them: a capture and a keyframe of each."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from lucy_client import Lucy, LucyError
from training.finetune.rows import Row

MODES = ("keyframe", "capture")
_SEED = 0


class NotDressed(RuntimeError):
    """The server refused a row, or answered it with the plain composite."""


def answers(url: str, rows: Sequence[Row], name: str) -> Iterator[dict[str, np.ndarray]]:
    """Of each row its picture in each of MODES, (H, W, 3) BGR uint8. name: of the progress bar.

    Raises NotDressed.
    """
    with Lucy(url) as lucy:
        for row in tqdm(rows, desc=name, unit="row"):
            try:
                capture = lucy.capture(row.read("person").tobytes(), seed=_SEED, **_options(row))
                with lucy.keyframes() as session:
                    options = _options(row)
                    render = options.pop("jacket_render", None)
                    keyframe = session.send(row.read("person").tobytes(), render, seed=_SEED, **options)
            except LucyError as error:
                raise NotDressed(f"{row.name}: {error}") from error
            if keyframe.mode != "ai_enhanced" or keyframe.image is None:
                raise NotDressed(f"{row.name}: its keyframe is a fallback ({keyframe.mode_reason})")
            yield {"keyframe": _decoded(keyframe.image), "capture": _decoded(capture.image)}


def _options(row: Row) -> dict[str, Any]:
    names = {"render": "jacket_render", "garment": "garment_image", "mask": "mask"}
    options: dict[str, Any] = {
        field: row.read(picture).tobytes() for picture, field in names.items() if row.path(picture)
    }
    path = row.file("pose.json")
    if path is not None:
        options["pose"] = json.loads(path.read_bytes())
    return options


def _decoded(image: bytes) -> np.ndarray:
    picture: np.ndarray = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    return picture
