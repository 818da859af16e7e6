"""Finds the garment: how much it covers each pixel of the camera frame."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.garment.difference import WORK_AT, difference_mask
from pipeline.garment.hand_edges import hands_before
from pipeline.garment.keying import keyed
from pipeline.garment.laying import Laying
from pipeline.garment.patch import Box, window
from pipeline.garment.placement import Silhouettes, best_fit, move_of, moved, near_body
from pipeline.garment.pose import Pose
from pipeline.garment.protection import Cut, left_by_head_and_hands, protect_head_and_hands
from pipeline.garment.registration import Registration, find_video, fits, stretch
from pipeline.garment.softness import soften
from pipeline.garment.visibility import Networks, hide, look, window_of
from pipeline.resize import shrink_within, size_of
from pipeline.strips import strips

# The ways in which a client may say how its canvas lies on the frame.
RENDER_FITS = ("auto", "stretch", "contain", "cover", "body")

# A garment that covers a smaller share of the frame does not count.
_LEAST_GARMENT = 0.002
# Long side, in pixels, at which the garment is compared with the torso.
_COMPARE_AT = 224


@dataclass(frozen=True)
class Garment:
    """The garment as it lies on the frame.

    mask: (H, W) uint8, its coverage; 0 everywhere if there is no garment to paint.
    colour: (H, W, 3) BGR uint8, premultiplied by the render's own alpha.
    source: where the mask comes from: `alpha` or `difference`; None if there is none.
    reason: why there is no garment: `no_garment` or `unusable_render`; None if there is one.
    laying: how the garment was laid, for the session's next keyframe; None if there is no garment.
    cuts: where head and hands hide it.
    """

    mask: np.ndarray
    colour: np.ndarray
    source: str | None
    registration: Registration
    reason: str | None = None
    laying: Laying | None = None
    cuts: tuple[Cut, ...] = ()


def find_garment(
    render: np.ndarray,
    frame: np.ndarray,
    pose: Pose,
    render_fit: str = "auto",
    earlier: Laying | None = None,
    networks: Networks | None = None,
    telling: np.ndarray | None = None,
) -> Garment:
    """The garment of `render` (h, w, 3 or 4), BGR or BGRA, on `frame` (H, W, 3) BGR, without head and hands.

    render_fit: one of RENDER_FITS. `auto` detects how the canvas lies on the frame, and corrects a garment
    that lies slightly off the body; `stretch`, `contain` and `cover` name the fit; `body` moves the garment
    onto the body from wherever the client drew it. Without a pose `body` means `auto`.
    earlier: how the session's last canvas was laid. It counts while the person is not tracked.
    networks: tell where the garment is visible although geometry finds a hand there (visibility.py).
    telling: (h, w) uint8, the coverage that tells how a transparent canvas lies; None: its alpha.
    """
    sizes = size_of(render), size_of(frame)
    last = None
    if earlier is not None and not pose.tracked and earlier.still_valid(render_fit, *sizes):
        last = earlier.registration
    alpha = _transparency(render)
    if alpha is not None:
        registration = last or _lay(alpha if telling is None else telling, size_of(frame), pose, render_fit)
        garment = _transparent(render, alpha, size_of(frame), registration)
    else:
        if render.shape[2] == 4:
            render = cv2.cvtColor(render, cv2.COLOR_BGRA2BGR)  # under the same name, which frees the canvas
        garment = _opaque(render, frame, pose, render_fit, last)
    garment = _without_what_hides(garment, frame, pose, networks)
    if garment.reason:
        return garment
    return replace(garment, laying=Laying(garment.registration, render_fit, *sizes))


def _transparency(render: np.ndarray) -> np.ndarray | None:
    """The alpha of a canvas with a transparent background; None for an opaque one."""
    if render.shape[2] != 4:
        return None
    alpha = cv2.extractChannel(render, 3)
    return alpha if cv2.minMaxLoc(alpha)[0] < 250 else None


def _transparent(
    render: np.ndarray, alpha: np.ndarray, size: tuple[int, int], registration: Registration
) -> Garment:
    mask, colour = np.zeros(size[::-1], np.uint8), np.zeros((*size[::-1], 3), np.uint8)
    drawn = cv2.boundingRect(alpha)
    box = registration.rows_reached(drawn, size)
    part = window(box)
    if mask[part].size:
        laid = soften(registration.warp(_premultiplied(render, drawn), size, box), registration.scale)
        for rows in strips(0, len(laid)):
            mask[part][rows] = cv2.extractChannel(laid[rows], 3)
            colour[part][rows] = cv2.cvtColor(laid[rows], cv2.COLOR_BGRA2BGR)
    return Garment(mask, colour, "alpha", registration)


def _premultiplied(render: np.ndarray, drawn: Box) -> np.ndarray:
    """`render`, BGRA, with its colours times its alpha. drawn: the box beyond which it is transparent."""
    result, part = np.zeros_like(render), window(drawn)
    # The constant's name says RGBA, but the conversion treats all three colours alike.
    result[part] = cv2.cvtColor(render[part], cv2.COLOR_RGBA2mRGBA)
    return result


def _lay(alpha: np.ndarray, size: tuple[int, int], pose: Pose, render_fit: str) -> Registration:
    """How a canvas with this `alpha` lies on the frame."""
    candidates = _candidates(alpha, size, render_fit)
    if not pose.tracked:
        return candidates[0]
    laid, silhouettes = best_fit(candidates, alpha, pose, size)
    if render_fit == "body":
        return moved(laid, silhouettes.onto_body().matrix(size[0]), "body")
    if render_fit == "auto" and (correction := silhouettes.correction()):
        return moved(laid, correction.matrix(size[0]), f"{laid.fit}, corrected")
    return laid


def _opaque(
    render: np.ndarray,
    frame: np.ndarray,
    pose: Pose,
    render_fit: str,
    last: Registration | None,
) -> Garment:
    """The garment, still over head and hands."""
    size = size_of(frame)
    explicit = render_fit in ("stretch", "contain", "cover")
    copies = small_render, small_frame = shrink_within(render, WORK_AT), shrink_within(frame, WORK_AT)
    video = find_video(render, frame, _candidates(render, size, render_fit) if explicit else None, copies)
    if video is None and (alpha := keyed(render)) is not None:
        canvas = cv2.merge([*cv2.split(render), alpha])
        registration = last or _lay(alpha, size, pose, render_fit)
        return replace(_transparent(canvas, alpha, size, registration), source="difference")
    if video is None:
        registration = stretch(size_of(render), size)
        nothing = np.zeros(frame.shape[:2], np.uint8)
        return Garment(nothing, frame, None, registration, "unusable_render")
    small_size = size_of(small_frame)
    placed = video.rescaled(size_of(render), size_of(small_render), size, small_size)
    mask = difference_mask(placed.warp(small_render, small_size), small_frame)
    if pose.tracked:
        mask = near_body(mask, pose)
    mask = cv2.resize(mask, size)
    if render_fit == "body" and (pose.tracked or (last and last.fit == "body")):
        move = move_of(last, video) if last else Silhouettes(mask, pose).onto_body().matrix(size[0])
        video = moved(video, move, "body")
        mask = cv2.warpAffine(mask, move, size)
    colour, box = np.zeros((*mask.shape, 3), np.uint8), cv2.boundingRect(mask)
    _lay_on(colour, render, video, box)
    _multiply(colour, mask, box)
    return Garment(mask, colour, "difference", video)


def _lay_on(colour: np.ndarray, render: np.ndarray, video: Registration, box: Box) -> None:
    """Draws `render`, placed on the frame by `video`, on `colour`, (H, W, 3) uint8, only inside `box`."""
    if box[2] * box[3]:
        colour[window(box)] = soften(video.warp(render, size_of(colour), box), video.scale)


def _multiply(colour: np.ndarray, mask: np.ndarray, box: Box) -> None:
    """`colour` times `mask` inside `box`, in place."""
    coverage, target = mask[window(box)], colour[window(box)]
    for rows in strips(0, len(target)):
        target[rows] = _times(target[rows], coverage[rows])


def _candidates(canvas: np.ndarray, size: tuple[int, int], render_fit: str) -> list[Registration]:
    known = fits(size_of(canvas), size)
    return [fit for fit in known if fit.fit == render_fit] or known


def composite(garment: Garment, frame: np.ndarray) -> np.ndarray:
    """The render drawn on the frame, (H, W, 3) BGR uint8; where the mask is 0 the frame is unchanged."""
    if not garment.mask.any():
        return frame
    return over(garment.colour, garment.mask, frame)


def over(colour: np.ndarray, mask: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """`colour`, premultiplied by `mask`, drawn over the frame: (H, W, 3) uint8."""
    x, y, width, height = cv2.boundingRect(mask)
    result = frame.copy()
    for rows in strips(y, y + height):
        part = np.s_[rows, x : x + width]
        result[part] = cv2.add(colour[part], _times(frame[part], 255 - mask[part]))
    return result


def torso_overlap(mask: np.ndarray, pose: Pose) -> float | None:
    """The share of the torso that the garment covers, 0 to 1; None if no torso is in the frame."""
    if not pose.tracked:
        return None
    small = shrink_within(mask, _COMPARE_AT)
    pose = pose.at(size_of(small))
    torso = pose.torso() & ~pose.protected
    pixels = np.count_nonzero(torso)
    return round(np.count_nonzero(torso & (small > 127)) / pixels, 3) if pixels else None


def covers_enough(mask: np.ndarray) -> bool:
    """Whether there is a garment to paint: `mask`, (H, W) uint8, covers more than a few pixels."""
    return np.count_nonzero(mask > 127) >= _LEAST_GARMENT * mask.size


def _times(picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`picture` (H, W, 3) uint8 times `share` / 255, (H, W) uint8."""
    return cv2.multiply(picture, cv2.merge([share] * 3), scale=1 / 255)


def _without_what_hides(
    garment: Garment, frame: np.ndarray, pose: Pose, networks: Networks | None
) -> Garment:
    """The garment without head and hands; an empty one if too little is left."""
    if garment.reason:
        return garment
    mask, colour = garment.mask, garment.colour
    if networks and pose.tracked and covers_enough(mask):
        hands = hands_before(networks.hands, frame, pose, mask)
        left = left_by_head_and_hands(frame, pose, [before.hand for before in hands if not before.shape])
        seen = look(networks.visible, frame, colour, mask, window_of(mask), pose)
        cuts = hide(seen, mask, colour, left, frame, pose, hands)
    else:
        cuts = protect_head_and_hands(frame, pose, mask, colour)
    if not covers_enough(mask):
        return Garment(np.zeros_like(mask), colour, garment.source, garment.registration, "no_garment")
    return Garment(mask, colour, garment.source, garment.registration, cuts=tuple(cuts))
