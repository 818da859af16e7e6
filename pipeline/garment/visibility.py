"""What of the garment is visible: the planes that a small network sees, and what becomes of its answer.

The network looks at a window around the garment: at the camera's picture, the garment and the pose. For each
pixel it tells two probabilities:

    drawn     that the canvas shows the garment there; training needs it, serving does not
    visible   that nothing hides the garment there: no hand, arm, hair, neck or chin

It does not see where geometry finds head and hands (protection.py): a network that did relied on that. And
away from hands it takes nothing away that geometry leaves but hair (hair.py). In a real photograph, of which
it has seen none in training, it found things before the garment that are not there. But geometry takes too
much: there it gives back. Around a hand its shape, which a second network tells, is asked, too, and the
camera's colours (hand_edges.py).

training/visible_garment trains it, with the same planes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from pipeline.garment.crop import Crop
from pipeline.garment.hair import hair_before
from pipeline.garment.hand_edges import HandBefore, hand_edges
from pipeline.garment.hand_shape import HandNetwork
from pipeline.garment.patch import Box, window, with_room
from pipeline.garment.pose import ARMS, HANDS, SHOULDERS, Pose, drawable
from pipeline.garment.protection import Cut
from pipeline.garment.rise import rise
from pipeline.resize import size_of

# Of the window as the network sees it, in pixels.
SIDE = 256
# Room around the garment, as a share of its longer side, and how far the window's middle lies above the
# garment's, since hair and chin are there, as a share of the window's side.
MARGIN, UP = 0.28, 0.05
# The planes, in this order: camera (3), canvas (3), alpha, found, hands, head, arms, skin.
PLANES = 12
# The alpha of a canvas without one.
UNKNOWN = 128

# (1, SIDE, SIDE, PLANES) uint8 → (1, SIDE, SIDE, 2) uint8, `drawn` and `visible` times 255.
Network = Callable[[np.ndarray], np.ndarray]

# A finger's end, in distances from the wrist to its knuckle; a limb's width in shoulder widths.
_FINGERTIP, _LIMB, _FINGER = 1.45, 0.13, 0.06
# Grey levels that a hand gets brighter per shoulder width that it is nearer than the shoulders.
_NEARER = 90
# Landmarks that lie on skin: nose and mouth. How far around them colour is sampled, in shoulder widths.
_FACE, _SAMPLED = (0, 9, 10), 0.03
# Alpha up to this is a shadow or the rim of one, and does not belong to the garment's box.
_FAINT = 8
# A share that differs by less from none or all counts as none or all: no veil lies over what is certain.
_CERTAIN = 0.06
# The probability from which the network is believed that nothing hides the garment, and how far around it the
# edge is soft.
_SURE, _SOFT = 0.96, 0.03
# By the network's probability times 255: how much of the garment is given back.
_GIVEN_BACK = rise(_SURE, _SOFT, rise(0.5, 0.5 - _CERTAIN, np.arange(256)))


@dataclass(frozen=True)
class Networks:
    """visible: what of the garment is visible. hands: a hand's landmarks."""

    visible: Network
    hands: HandNetwork


@dataclass(frozen=True)
class Visibility:
    """The network's answer.

    crop: the window. visible: (SIDE, SIDE) uint8, probabilities times 255. hair: as large, what hair hides of
    the garment, times 255.
    """

    crop: Crop
    visible: np.ndarray
    hair: np.ndarray


def look(
    network: Network,
    frame: np.ndarray,
    canvas: np.ndarray,
    mask: np.ndarray,
    crop: Crop,
    pose: Pose,
) -> Visibility:
    """Ask the network.

    frame: (H, W, 3) BGR uint8. canvas: the garment's colours, as large, premultiplied by the mask.
    mask: (H, W) uint8, the garment, still over head and hands.
    """
    size = (SIDE, SIDE)
    seen, drawn = (crop.of(picture, size, cv2.BORDER_REPLICATE) for picture in (frame, canvas))
    alpha = crop.of(mask, size, cv2.BORDER_CONSTANT)
    answer = network(planes(seen, drawn, alpha, alpha, in_window(pose, crop))[None])[0]
    visible = np.ascontiguousarray(answer[..., 1])
    return Visibility(crop, visible, hair_before(seen, visible, alpha, _head_in(pose, crop)))


def window_of(mask: np.ndarray) -> Crop:
    """The window around the garment: mask (H, W) uint8."""
    x, y, width, height = cv2.boundingRect((mask > _FAINT).view(np.uint8))
    side = round((1 + MARGIN) * max(width, height, 16))
    return Crop(round(x + (width - side) / 2), round(y + (height - side) / 2 - UP * side), side, side)


def in_window(pose: Pose, crop: Crop) -> Pose:
    """The pose with landmarks in shares of the window."""
    landmarks = pose.landmarks.copy()
    told = landmarks.any(axis=1)
    landmarks[told, :2] = (landmarks[told, :2] * pose.size - (crop.x, crop.y)) / crop.width
    landmarks[told, 2] *= pose.size[0] / crop.width
    return Pose(landmarks, (SIDE, SIDE))


def _head_in(pose: Pose, crop: Crop) -> Box:
    """Around the head's outline, in pixels of the window, which need not reach up to it."""
    x, y, width, height = cv2.boundingRect(pose.head.mask)
    scale = SIDE / crop.width
    left, top = pose.head.x + x - crop.x, pose.head.y + y - crop.y
    return round(left * scale), round(top * scale), round(width * scale), round(height * scale)


def spread(share: np.ndarray, crop: Crop, box: Box) -> np.ndarray:
    """A share of the window, (SIDE, SIDE) uint8, over `box` of the frame: (h, w) uint8."""
    scale = SIDE / crop.width
    x, y, width, height = box
    onto_window = np.array(
        [
            [scale, 0, (x + 0.5 - crop.x) * scale - 0.5],
            [0, scale, (y + 0.5 - crop.y) * scale - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(share, onto_window, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def hide(
    seen: Visibility,
    mask: np.ndarray,
    colour: np.ndarray,
    left: np.ndarray,
    frame: np.ndarray,
    pose: Pose,
    hands: Sequence[HandBefore],
) -> list[Cut]:
    """Takes what hides the garment out of `mask`, (H, W) uint8, and `colour`, premultiplied by it, in place.

    left: (H, W) uint8, what geometry says that the head, and hands without a shape, leave of the garment
        (protection.left_by_head_and_hands). Where the network is sure that the garment is visible, it stays.
        Around hands their shape and the camera's colours count, too (hand_edges.py).
    Returns where something was taken out.
    """
    stays, box = left.copy(), cv2.boundingRect(cv2.bitwise_not(left))
    if box[2]:
        given_back = cv2.LUT(spread(seen.visible, seen.crop, box), _GIVEN_BACK)
        stays[window(box)] = cv2.max(left[window(box)], given_back)
    _hide_hair(stays, seen)
    _hide_hands(stays, left, seen, frame, pose, hands)
    box = cv2.boundingRect(cv2.min(mask, cv2.bitwise_not(stays)))
    if not box[2]:
        return []
    part = window(box)
    share = stays[part]
    mask[part] = cv2.multiply(mask[part], share, scale=1 / 255)
    colour[part] = cv2.multiply(colour[part], cv2.merge([share] * 3), scale=1 / 255)
    return [(box, share)]


def _hide_hair(stays: np.ndarray, seen: Visibility) -> None:
    """Takes what hair hides out of `stays`, (H, W) uint8."""
    if not seen.hair.any():
        return
    scale = seen.crop.width / SIDE
    x, y, width, height = (round(value * scale) for value in cv2.boundingRect(seen.hair))
    box = with_room((seen.crop.x + x, seen.crop.y + y, width, height), round(2 * scale) + 2, size_of(stays))
    stays[window(box)] = cv2.min(stays[window(box)], 255 - spread(seen.hair, seen.crop, box))


def _hide_hands(
    stays: np.ndarray,
    left: np.ndarray,
    seen: Visibility,
    frame: np.ndarray,
    pose: Pose,
    hands: Sequence[HandBefore],
) -> None:
    """Writes into `stays`, (H, W) uint8, what the hands leave of the garment."""
    shapes = [before.shape for before in hands if before.shape]
    asked = np.zeros(stays.shape, bool)
    for before in hands:
        box = before.view.box
        part = window(box)
        visible = spread(seen.visible, seen.crop, box)
        share, counts = hand_edges(before, frame, pose, visible, left[part], shapes)
        blended = cv2.blendLinear(share, stays[part], counts, 1 - counts)
        # Where two hands may be, either hides the garment.
        stays[part] = np.where(asked[part], cv2.min(blended, stays[part]), blended)
        asked[part] |= counts > 0.5


def planes(
    frame: np.ndarray, canvas: np.ndarray, alpha: np.ndarray | None, found: np.ndarray, pose: Pose
) -> np.ndarray:
    """The network's input, (SIDE, SIDE, PLANES) uint8. All pictures are the window's, at that size.

    frame, canvas: BGR; a transparent canvas is premultiplied by its alpha.
    alpha: of the canvas; None if it is opaque.
    found: the garment's mask, still over head and hands: the alpha, or what differs from the camera.
    pose: with landmarks in shares of the window.
    """
    known = np.full(frame.shape[:2], UNKNOWN, np.uint8) if alpha is None else alpha
    skin = _skin(frame, pose)
    return cv2.merge([*cv2.split(frame), *cv2.split(canvas), known, found, *_drawn(pose), skin])


def _drawn(pose: Pose) -> np.ndarray:
    """Hands, head and arms as the landmarks tell them: (3, H, W) uint8; brighter where they are nearer."""
    hands, head, arms = drawn = np.zeros((3, *pose.size[::-1]), np.uint8)
    if not pose.tracked:
        return drawn
    unit = pose.shoulder_width
    depth = pose.landmarks[:, 2] * pose.size[0] / unit
    nearer = np.where(np.isfinite(depth), depth[list(SHOULDERS)].mean() - depth, 0)
    level = (128 + _NEARER * nearer).clip(40, 255).round()
    for arm in ARMS:
        for start, end in pairwise(arm):
            if pose.known[[start, end]].all():
                _line(arms, pose.points[start], pose.points[end], _LIMB * unit, level[end])
    for wrist, *knuckles in HANDS:
        for knuckle in (number for number in knuckles if pose.seen[number] and pose.known[wrist]):
            tip = pose.points[wrist] + _FINGERTIP * (pose.points[knuckle] - pose.points[wrist])
            _line(hands, pose.points[wrist], tip, _FINGER * unit, level[wrist])
    head |= 255 * pose.head.within((0, 0, *pose.size))
    return drawn


def _skin(frame: np.ndarray, pose: Pose) -> np.ndarray:
    """How much each pixel has the colour of this person's palms, nose or mouth: (H, W) uint8."""
    alike = np.zeros(frame.shape[:2], np.uint8)
    if not pose.tracked:
        return alike
    colours = cv2.cvtColor(frame, cv2.COLOR_BGR2LAB)
    places = [pose.points[list(hand)].mean(axis=0) for hand in HANDS if pose.seen[list(hand)].all()]
    places += [pose.points[number] for number in _FACE if pose.seen[number]]
    reach = max(1, round(_SAMPLED * pose.shoulder_width))
    for x, y in np.rint(places).astype(int).tolist():
        near = colours[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        if near.size:
            alike = cv2.max(alike, _alike(colours, np.median(near.reshape(-1, 3), axis=0)))
    return alike


def _alike(colours: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """255 for pixels of `colours`, CIELAB uint8, that have `colour`, and less for those that differ."""
    difference = cv2.absdiff(colours, np.broadcast_to(np.rint(colour).astype(np.uint8), colours.shape))
    lightness, *chroma = cv2.split(difference)
    closeness = [cv2.LUT(channel, _CLOSE_IN_CHROMA) for channel in chroma]
    closeness.append(cv2.LUT(lightness, _CLOSE_IN_LIGHTNESS))
    return cv2.multiply(cv2.multiply(closeness[0], closeness[1], scale=1 / 255), closeness[2], scale=1 / 255)


def _bell(width: float) -> np.ndarray:
    """255 for a difference of 0, falling as a Gaussian of that width does."""
    return np.rint(255 * np.exp(-((np.arange(256) / width) ** 2) / 2)).astype(np.uint8)


_CLOSE_IN_CHROMA, _CLOSE_IN_LIGHTNESS = _bell(7), _bell(40)


def _line(plane: np.ndarray, start: np.ndarray, end: np.ndarray, width: float, level: float) -> None:
    ends = drawable(np.array([start, end]), max(plane.shape))
    cv2.polylines(plane, [ends], False, level, max(1, round(width)))
