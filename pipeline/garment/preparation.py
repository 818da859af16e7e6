"""Turns compressed pictures and a pose into the inputs of the networks and of `postprocess`."""

from typing import Any

import numpy as np

from pipeline.errors import InvalidInput
from pipeline.garment.crop import around, latent_mask, pixels
from pipeline.garment.laying import Laying
from pipeline.garment.masking import RENDER_FITS, composite, find_garment, torso_overlap
from pipeline.garment.pictures import cut_out, decode_frame, decode_mask, decode_render
from pipeline.garment.pose import Pose
from pipeline.resize import size_of


def prepare(
    camera_frame: np.ndarray,
    jacket_render: np.ndarray,
    pose: np.ndarray,
    client_mask: np.ndarray,
    render_fit: str,
    resolution: tuple[int, int],
    masked: bool,
    earlier_laying: str = "",
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors `composite`, `mask`, `crop`, `pixels` and `latent_mask`, and the report about them.

    camera_frame, jacket_render, client_mask: compressed bytes, (N,) uint8; one byte means no mask.
    pose: (33, 4) float32. render_fit: one of RENDER_FITS.
    resolution: (height, width) of the networks.
    masked: whether the masked region is removed from the conditioning image.
    earlier_laying: the report's `laying` of the session's last keyframe; empty if there is none.
    model_repository/README.md describes the tensors. Raises InvalidInput and NotAnImage.
    """
    if render_fit not in RENDER_FITS:
        raise InvalidInput(f"render_fit is {render_fit!r}; it must be one of {', '.join(RENDER_FITS)}")
    has_client_mask = client_mask.size > 1
    frame = decode_frame(camera_frame)
    landmarks = Pose(pose, size_of(frame))
    # No name here holds the canvas, so that find_garment frees 100 MB of 25 megapixels as early as it can.
    garment = find_garment(
        _canvas(jacket_render, client_mask),
        frame,
        landmarks,
        render_fit,
        Laying.from_json(earlier_laying),
    )
    crop = around(garment.mask, resolution)
    painted = latent_mask(crop, garment.mask, resolution)
    drawn = composite(garment, frame)
    report = {
        "mask_source": "client" if has_client_mask and garment.source == "alpha" else garment.source,
        "mode_reason": garment.reason,
        "alignment": {
            "fit": garment.registration.fit,
            "score": torso_overlap(garment.mask, landmarks),
        },
        "laying": garment.laying.to_json() if garment.laying else None,
    }
    tensors = {
        "composite": drawn,
        "mask": garment.mask,
        "crop": np.array([crop.x, crop.y, crop.width, crop.height], np.int32),
        "pixels": pixels(crop, drawn, painted, resolution, masked),
        "latent_mask": painted,
    }
    return tensors, report


def _canvas(jacket_render: np.ndarray, client_mask: np.ndarray) -> np.ndarray:
    """The decoded render, cut out by the client's mask where there is one."""
    render = decode_render(jacket_render)
    return render if client_mask.size <= 1 else cut_out(render, decode_mask(client_mask))
