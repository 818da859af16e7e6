"""The picture of the person's body parts that TryonNet sees: the client's own, a network's, or a drawing."""

import numpy as np
from PIL import Image

from families.idm_vton.body_parts import coloured, draw
from families.idm_vton.densepose import DensePose
from families.idm_vton.garment import squeezed
from pipeline.garment.garment_picture import is_given
from pipeline.garment.patch import Box
from pipeline.garment.pictures import decode_pose_image
from pipeline.garment.pose import Pose


def pose_picture(
    landmarks: np.ndarray,
    own: np.ndarray,
    frame: tuple[int, int],
    window: Box,
    seen: np.ndarray,
    densepose: DensePose | None = None,
) -> tuple[np.ndarray, str]:
    """(H, W, 3) RGB uint8 on black, and what it was made from: `client`, `densepose`, `landmarks` or `none`.

    landmarks: (33, 4), MediaPipe's; all 0: no pose.
    own: the client's picture over the whole frame, as compressed bytes; one byte means none.
    frame: (width, height). window: the part of it that the networks see, which may reach beyond it.
    seen: (H, W, 3) RGB uint8, that part. Raises NotAnImage and InvalidInput.
    """
    height, width = seen.shape[:2]
    resolution = (height, width)
    if is_given(own):
        picture = np.ascontiguousarray(decode_pose_image(own)[..., ::-1])
        return squeezed(_cut(picture, _scaled(window, frame, picture)), resolution), "client"
    if densepose is not None:
        return squeezed(densepose.picture(seen), resolution), "densepose"
    pose = Pose(landmarks, frame)
    parts = draw(pose, window, resolution[::-1])
    return coloured(parts), "landmarks" if pose.tracked else "none"


def _scaled(window: Box, frame: tuple[int, int], picture: np.ndarray) -> Box:
    """A window of the frame on a picture of another size."""
    height, width = picture.shape[:2]
    x, y, x_end, y_end = (
        round(edge * side / of)
        for edge, side, of in (
            (window[0], width, frame[0]),
            (window[1], height, frame[1]),
            (window[0] + window[2], width, frame[0]),
            (window[1] + window[3], height, frame[1]),
        )
    )
    return x, y, max(1, x_end - x), max(1, y_end - y)


def _cut(picture: np.ndarray, window: Box) -> np.ndarray:
    """With black beyond the picture."""
    x, y, width, height = window
    return np.asarray(Image.fromarray(picture).crop((x, y, x + width, y + height)))
