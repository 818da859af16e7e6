"""Turns compressed pictures and a pose into the inputs of the networks and of `postprocess`."""

from typing import Any

import numpy as np

from pipeline.errors import InvalidInput
from pipeline.garment.crop import latent_mask, person, pixels, place
from pipeline.garment.garment_map import ONE_GARMENT, ONE_RENDER
from pipeline.garment.garment_picture import is_given
from pipeline.garment.layers import Layers, layered
from pipeline.garment.laying import Laying
from pipeline.garment.masking import RENDER_FITS, Garment, composite, find_garment, torso_overlap
from pipeline.garment.occlusion import occlusion
from pipeline.garment.painting import find_painting
from pipeline.garment.pictures import cut_out, decode_frame, decode_mask, decode_render
from pipeline.garment.pose import Pose
from pipeline.garment.region import CATEGORIES, resolved
from pipeline.garment.scene import NO_SCENE, see
from pipeline.garment.visibility import Networks
from pipeline.resize import size_of


def prepare(
    camera_frame: np.ndarray,
    jacket_render: np.ndarray,
    pose: np.ndarray,
    client_mask: np.ndarray,
    render_fit: str,
    resolution: tuple[int, int],
    conditioning: str,
    framing: str = "garment",
    category: str = "",
    earlier_laying: str = "",
    occluded: bool = False,
    with_scene: bool = False,
    networks: Networks | None = None,
    render_parts: np.ndarray = ONE_RENDER,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors `composite`, `mask`, `crop`, `pixels`, `latent_mask` and `garment_map`, and the report.

    For the conditioning `person` also `drawn`, the frame with the render where there is one.

    camera_frame, jacket_render, client_mask: compressed bytes, (N,) uint8; one byte means none.
    pose: (33, 4) float32. render_fit: one of RENDER_FITS.
    resolution: (height, width) of the networks.
    conditioning, framing: of the checkpoint, as pipeline.recipe describes them.
    category: of the garment, one of CATEGORIES; empty where the checkpoint takes no picture of it, so that
        it needs a render.
    earlier_laying: the report's `laying` of the session's last keyframe; empty if there is none.
    with_scene: whether the light reader's input is made, too: the tensors `scene` and `scene_window`.
    occluded: whether the report has `occlusion`, what hides the garment (occlusion.py), or None.
    networks: tell what of the garment is visible (visibility.py); without them geometry does.
    render_parts: (n, 2) int32: of n renders, of which `jacket_render` has one after the other, the number of
        bytes and the garment's place in the request, from the lowest to the highest; one row for one render.
        The report then has `garments`, and `garment_map` tells them apart.
    model_repository/README.md describes the tensors. Raises InvalidInput and NotAnImage.
    """
    if render_fit not in RENDER_FITS:
        raise InvalidInput(f"render_fit is {render_fit!r}; it must be one of {', '.join(RENDER_FITS)}")
    if category and category not in CATEGORIES:
        raise InvalidInput(f"category is {category!r}; it must be one of {', '.join(CATEGORIES)}")
    frame = decode_frame(camera_frame)
    landmarks = Pose(pose, size_of(frame))
    garment, garment_map = None, ONE_GARMENT
    if is_given(jacket_render):
        laid = Laying.from_json(earlier_laying)
        layers = layered(jacket_render, render_parts, max(size_of(frame))) if len(render_parts) > 1 else None
        garment, drawn, report = _rendered(
            frame, jacket_render, client_mask, landmarks, render_fit, laid, networks, layers
        )
        mask = garment.mask
        if layers:
            report["garments"] = layers.report(garment.registration, mask)
            garment_map = layers.map_on_frame(garment.registration, size_of(frame))
    else:
        mask, report = find_painting(frame, landmarks, category, client_mask, earlier_laying)
        drawn = frame
    if category:
        report["category"] = resolved(category, mask, landmarks)
    crop = place(framing, mask, resolution)
    if conditioning == "person":
        seen, painted = person(crop, frame, mask, resolution, black_beside=framing == "contain")
    else:
        painted = latent_mask(crop, mask, resolution)
        seen = pixels(crop, drawn, painted, resolution, masked=conditioning == "masked")
    report["alignment"]["score"] = torso_overlap(mask, landmarks)
    if occluded and garment and not garment.reason:
        report["occlusion"] = occlusion(garment, crop, report["mask_source"] == "client")
    tensors = {
        "composite": frame if conditioning == "person" else drawn,
        "mask": mask,
        "crop": np.array([crop.x, crop.y, crop.width, crop.height], np.int32),
        "pixels": seen,
        "latent_mask": painted,
        "garment_map": garment_map,
        "scene": NO_SCENE,
        "scene_window": np.zeros(4, np.int32),
    }
    if with_scene and garment and not garment.reason:
        tensors["scene"], tensors["scene_window"] = see(frame, garment.colour, mask, pose)
    if conditioning == "person":  # the render only tells where the garment is, and what it looks like
        tensors["drawn"] = drawn
    return tensors, report


def _rendered(
    frame: np.ndarray,
    jacket_render: np.ndarray,
    client_mask: np.ndarray,
    landmarks: Pose,
    render_fit: str,
    earlier: Laying | None,
    networks: Networks | None,
    layers: Layers | None,
) -> tuple[Garment, np.ndarray, dict[str, Any]]:
    """The garment, the composite, and the report."""
    # No name here holds the canvas, so that find_garment frees 100 MB of 25 megapixels as early as it can.
    telling = layers.telling(landmarks, size_of(frame)) if layers else None
    garment = find_garment(
        layers.canvas if layers else _canvas(jacket_render, client_mask),
        frame,
        landmarks,
        render_fit,
        earlier,
        networks,
        telling,
    )
    by_client = is_given(client_mask) and garment.source == "alpha"
    report = {
        "mask_source": "client" if by_client else garment.source,
        "mode_reason": garment.reason,
        "alignment": {"fit": garment.registration.fit},
        "laying": garment.laying.to_json() if garment.laying else None,
    }
    return garment, composite(garment, frame), report


def _canvas(jacket_render: np.ndarray, client_mask: np.ndarray) -> np.ndarray:
    """The decoded render, cut out by the client's mask where there is one."""
    render = decode_render(jacket_render)
    return cut_out(render, decode_mask(client_mask)) if is_given(client_mask) else render
