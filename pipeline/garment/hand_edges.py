"""How much of each pixel a hand hides: from the network, the hand's shape and the camera's colours.

    log-odds that a pixel shows the hand
        = log-odds of the network + what its shape says + log 2.5 + log P(colour | hand) / P(colour | clothes)

log 2.5, since a jacket that is painted over a finger is worse than a rim of old clothes. The shape is that
of the hand's landmarks (hand_shape.py). Where those are not found, geometry says what the pose tells, and
little: it is an input of the network. The colours are counted in this picture, weighted by what network and
shape tell, and again by what the colours told then (expectation maximisation, as in GrabCut: Rother et al.,
SIGGRAPH 2004). So old clothes between the fingers are found, and a fingertip where geometry sees none.

The share then follows the edges of the camera's picture: around each pixel it is a linear function of the
colour (guided filter: He et al., ECCV 2010), here of the direction of colour that tells hand from clothes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.hand_shape import HandNetwork, HandShape, look_at_hand, nearest
from pipeline.garment.hand_view import HandView
from pipeline.garment.patch import Patch, window
from pipeline.garment.pose import Hand, Pose
from pipeline.garment.skin_colour import Bins, SkinColour
from pipeline.resize import size_of

# Longer side of the hand's reach, where colours are counted; edges follow the frame itself.
_SIDE = 48
# Clothes around the hand's reach, as a share of its longer side; how far beyond it the hand may be; around
# the palm no sleeve is.
_AROUND, _BEYOND, _AROUND_PALM = 0.3, 0.2, 0.2
# Log-odds: what geometry says where no shape is found; what colour tells at most without a shape, and with
# one; the worse of both errors.
_GEOMETRY = np.float32(0.3)
_COLOUR, _BESIDE_SHAPE = np.float32(3), np.float32(2)
_WORSE = np.float32(np.log(2.5))
# What a shape says: log-odds by distance from its outline in palm lengths, and at most. At the wrist the
# outline is wider, and beyond it fades away: there a sleeve may begin.
_BY_DISTANCE, _SAYS, _AT_WRIST = np.float32(-1 / 0.02), np.float32(3), np.float32(0.25)
_WIDER, _TAPERS, _FADES = np.float32(0.15), np.float32(0.25), np.float32(0.2)
# So many palm lengths beyond the wrist a sleeve has begun: the log-odds fall by so much a length, to this.
_CUFF, _BY_SLEEVE, _SLEEVE = np.float32(0.35), np.float32(8), np.float32(-2)
# Farther from the shape, in palm lengths, skin is of an arm; and how far around it the hand may be.
_ARM, _MAY_BE = 0.05, 0.3
# Rounds in which colours are counted. In the first, old clothes beside the hand count as hand, too.
_ROUNDS = 2
# Probabilities of the network nearer to 0 or 1 count as this near.
_NEVER_SURE = np.float32(0.02)
# The guided filter's half width, as a share of the longer side; its regularisation, in values of 0…1.
_RADIUS, _NOISE = 0.05, 1e-4
# Every such pixel tells the direction.
_EVERY = 3
# Half the width of the rise of the share. Of the pixels of path-traced photographs with a share of 0.35,
# 85 % show the garment, and 48 % of those with 0.75. The least expected error rises twice as slowly, and
# leaves a fog around hands.
_RISE = 0.25


@dataclass(frozen=True)
class HandBefore:
    """A hand where the garment is. shape: None where its landmarks are not found."""

    hand: Hand
    view: HandView
    shape: HandShape | None


def hands_before(network: HandNetwork, frame: np.ndarray, pose: Pose, mask: np.ndarray) -> list[HandBefore]:
    """The pose's hands where a garment is, `mask` (H, W) uint8. frame: (H, W, 3) BGR uint8."""
    views = ((hand, view_of(hand, size_of(frame))) for hand in pose.hands)
    return [
        HandBefore(hand, view, look_at_hand(network, frame, pose, hand.arm))
        for hand, view in views
        if view and mask[window(view.box)].any()
    ]


def hand_edges(
    before: HandBefore,
    frame: np.ndarray,
    pose: Pose,
    visible: np.ndarray,
    left: np.ndarray,
    shapes: Sequence[HandShape],
) -> tuple[np.ndarray, np.ndarray]:
    """What the hand leaves of a garment, (h, w) uint8, over its view's box, and how much that counts there
    beside what is known without it: (h, w) float32, 0 to 1.

    frame: (H, W, 3) BGR uint8. visible: the network's, over the box, (h, w) uint8.
    left: geometry's, (h, w) uint8; it counts if this hand's shape is not found.
    shapes: of all hands.
    """
    hand, view = before.hand, before.view
    picture = frame[window(view.box)]
    small = view.small(picture)
    network = _share_hidden(view, visible)
    arms, zone = view.arms(pose, _AROUND_PALM), view.grown(view.of(hand.reach), _BEYOND)
    if before.shape:
        distance, along = nearest(shapes, view)
        says, most = _said_by_shape(distance, along), _BESIDE_SHAPE
        bare = (distance > _ARM) & (arms | (along > 0))
        zone |= distance < _MAY_BE
    else:
        geometry = _share_hidden(view, left)
        says, most, bare = _GEOMETRY * (2 * geometry - 1), _COLOUR, arms
        # Before another arm, whose colour is the hand's, geometry knows better.
        zone &= ~(view.grown(view.of(*_other_arm(hand, pose)), _BEYOND) & (geometry < 0.5))
    prior = _log_odds(network) + says + _WORSE
    hidden = _with_colours(prior, small, most, bare)
    radius = max(2, round(_RADIUS * view.longer * view.scale))
    share = _along_edges(hidden, small, picture, radius)
    rising = cv2.addWeighted(
        share, -255 / (2 * _RISE), share, 0, 127.5 + 127.5 / (2 * _RISE), dtype=cv2.CV_8U
    )
    # Its border is no edge of the picture: a step there would be one.
    counts = cv2.resize(cv2.blur(zone.astype(np.float32), (3, 3)), size_of(picture))
    return rising, counts


def _share_hidden(view: HandView, left: np.ndarray) -> np.ndarray:
    return np.asarray(1 - view.small(left).astype(np.float32) / 255)


def _said_by_shape(distance: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Log-odds. distance, along: of HandShape.distances."""
    outside = distance - _WIDER * (1 - along / _TAPERS).clip(0, 1)
    counts = (along / _FADES + 1).clip(0, 1)
    said = (_BY_DISTANCE * outside).clip(-_SAYS, _SAYS)
    beyond = (_AT_WRIST + _BY_SLEEVE * (along + _CUFF).clip(None, 0)).clip(_SLEEVE, None)
    return np.asarray(counts * said + (1 - counts) * beyond)


def _with_colours(prior: np.ndarray, small: np.ndarray, most: np.float32, bare: np.ndarray) -> np.ndarray:
    """The probability of a hand, from log-odds and the colours of the picture `small`.

    most: log-odds that a colour tells. bare: (h, w) bool, where skin tells nothing of the hand.
    """
    bins = Bins.of(cv2.cvtColor(small, cv2.COLOR_BGR2LAB).reshape(-1, 3))
    most_there = np.where(bare, np.float32(0), most)
    hidden = _sigmoid(prior)
    for _ in range(_ROUNDS):
        weights = hidden.ravel() ** 2, (1 - hidden.ravel()) ** 2
        told = SkinColour(bins, bins, weights).of(bins).reshape(prior.shape)
        hidden = _sigmoid(prior + told.clip(-most, most_there))
    return hidden


def _other_arm(hand: Hand, pose: Pose) -> tuple[Patch, Patch]:
    return pose.forearms[1 - hand.arm], pose.upper_arms[1 - hand.arm]


def view_of(hand: Hand, size: tuple[int, int]) -> HandView | None:
    """None where there is too little of the hand in the frame. size: the frame's."""
    view = HandView(hand, size, _AROUND, _SIDE)
    return view if min(view.box[2:]) >= 8 and view.longer else None


def _log_odds(probability: np.ndarray) -> np.ndarray:
    return np.asarray(np.log((probability + _NEVER_SURE) / (1 - probability + _NEVER_SURE)))


def _sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _along_edges(share: np.ndarray, small: np.ndarray, picture: np.ndarray, radius: int) -> np.ndarray:
    """`share`, (h, w) float32, of the picture `small`, enlarged along the edges of `picture`, (H, W, 3)."""
    direction = _separating(small.reshape(-1, 3), share.ravel())[None]
    guide = cv2.transform(small.astype(np.float32), direction)
    large = cv2.transform(picture.astype(np.float32), direction)

    def mean(it: np.ndarray) -> np.ndarray:
        return cv2.blur(it, (2 * radius + 1,) * 2)

    mean_guide, mean_share = mean(guide), mean(share)
    variance = mean(guide * guide) - mean_guide**2
    slope = (mean(guide * share) - mean_guide * mean_share) / (variance + _NOISE)
    offset = mean(mean_share - slope * mean_guide)
    slope, offset = (cv2.resize(it, size_of(picture)) for it in (mean(slope), offset))
    return cv2.add(cv2.multiply(slope, large), offset)


def _separating(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Fisher's linear discriminant of two classes: (3,) float32, from values in 0…255 to a length of 1.

    colours: (N, 3) uint8. share: of the first class, (N,).
    """
    colours = colours[::_EVERY].astype(np.float32) * np.float32(1 / 255)
    means, spreads = [], []
    for weight in (share[::_EVERY], 1 - share[::_EVERY]):
        weight = weight / max(float(weight.sum()), 1e-3)
        mean = weight @ colours
        apart = (colours - mean) * np.sqrt(weight)[:, None]
        means.append(mean)
        spreads.append(cv2.mulTransposed(apart, True))
    direction = np.linalg.solve(sum(spreads) / 2 + _NOISE * np.eye(3), means[0] - means[1])
    return np.asarray(direction / max(float(np.linalg.norm(direction)), 1e-6) / 255, np.float32)
