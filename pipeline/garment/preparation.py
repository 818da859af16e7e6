"""Compressed pictures and a pose → what the networks and `postprocess` need."""

from typing import Any

import numpy as np

from pipeline.garment.crop import around, latent_mask, pixels
from pipeline.garment.masking import RENDER_FITS, composite, find_garment, torso_overlap
from pipeline.garment.pictures import cut_out, decode_frame, decode_mask, decode_render
from pipeline.garment.pose import Pose
from pipeline.resize import size_of


class UnknownFit(ValueError):
    """The request names no fit that there is."""


def prepare(
    camera_frame: np.ndarray,
    jacket_render: np.ndarray,
    pose: np.ndarray,
    client_mask: np.ndarray,
    render_fit: str,
    resolution: tuple[int, int],
    masked: bool,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors `composite`, `mask`, `crop`, `pixels` and `latent_mask`, and the report of them.

    camera_frame, jacket_render, client_mask: compressed bytes, (N,) uint8; a mask of one byte is none.
    pose: (33, 4) float32. render_fit: one of RENDER_FITS.
    resolution: (height, width) of the networks.
    masked: whether the conditioning image has the masked region removed.
    model_repository/README.md says what the tensors mean. Raises UnknownFit and NotAnImage.
    """
    if render_fit not in RENDER_FITS:
        raise UnknownFit(f"render_fit is {render_fit!r}; it must be one of {', '.join(RENDER_FITS)}")
    has_client_mask = client_mask.size > 1
    frame = decode_frame(camera_frame)
    landmarks = Pose(pose, size_of(frame))
    render = decode_render(jacket_render)
    if has_client_mask:
        render = cut_out(render, decode_mask(client_mask))
    garment = find_garment(render, frame, landmarks, render_fit)
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
    }
    tensors = {
        "composite": drawn,
        "mask": garment.mask,
        "crop": np.array([crop.x, crop.y, crop.width, crop.height], np.int32),
        "pixels": pixels(crop, drawn, painted, resolution, masked),
        "latent_mask": painted,
    }
    return tensors, report
