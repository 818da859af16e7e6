"""What the model paints where no garment has been drawn: a garment picture comes without a render."""

import json
from typing import Any

import cv2
import numpy as np

from pipeline.garment.garment_picture import is_given
from pipeline.garment.masking import covers_enough
from pipeline.garment.pictures import decode_mask
from pipeline.garment.pose import Pose
from pipeline.garment.protection import protect_head_and_hands
from pipeline.garment.region import region, wanted_points
from pipeline.resize import size_of

NEEDS_RENDER = "needs_render"
NO_REGION = "no_region"

# Half the width of the region's soft edge, as a share of the frame's height: the model's picture fades in.
_SOFT_EDGE = 0.008


def find_painting(
    frame: np.ndarray, pose: Pose, category: str, client_mask: np.ndarray, earlier: str = ""
) -> tuple[np.ndarray, dict[str, Any]]:
    """The region to paint, (H, W) uint8, 0 everywhere if it is not known, and the report about it.

    From the client's mask, which is stretched over the frame, or else from the pose; without head and hands.
    frame: (H, W, 3) BGR uint8. category: as in `prepare`. client_mask: compressed bytes; one byte means none.
    earlier: the report's `laying` of the session's last keyframe: while a tracker loses the person, its pose
        still counts, so that the garment does not go for a moment.
    Raises NotAnImage.
    """
    if not category:
        return _nothing(
            frame, NEEDS_RENDER, "the served checkpoint cannot use a garment_image; it needs a jacket_render"
        )
    if is_given(client_mask):
        source, mask = "client", cv2.resize(decode_mask(client_mask), size_of(frame))
    else:
        pose = _last_seen(pose, earlier)
        found = region(pose, category)
        if found is None:
            return _nothing(
                frame,
                NO_REGION,
                f"without a jacket_render, {category} need a mask, or a pose that shows "
                f"{wanted_points(category)}, so that the region to paint is known",
            )
        side = 2 * max(1, round(_SOFT_EDGE * len(frame))) + 1
        source, mask = "pose", cv2.blur(found, (side, side))
    protect_head_and_hands(frame, pose, mask)
    if not covers_enough(mask):
        return _nothing(frame, "no_garment", "head and hands stay, and nothing else is left to paint")
    laying = json.dumps({"landmarks": pose.landmarks.tolist(), "frame": pose.size})
    return mask, _report(source) | ({"laying": laying} if source == "pose" else {})


def _last_seen(pose: Pose, earlier: str) -> Pose:
    """The pose, or the session's last one on a frame of this size while nobody is tracked."""
    if pose.tracked or not earlier:
        return pose
    seen = json.loads(earlier)
    return Pose(np.array(seen["landmarks"]), pose.size) if tuple(seen["frame"]) == pose.size else pose


def _nothing(frame: np.ndarray, reason: str, detail: str) -> tuple[np.ndarray, dict[str, Any]]:
    return np.zeros(frame.shape[:2], np.uint8), _report(None) | {"mode_reason": reason, "detail": detail}


def _report(source: str | None) -> dict[str, Any]:
    return {"mask_source": source, "mode_reason": None, "alignment": {"fit": None}, "laying": None}
