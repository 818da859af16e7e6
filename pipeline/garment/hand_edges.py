"""How much of each pixel a hand hides: from the network, geometry and the camera's colours.

    log-odds that a pixel shows the hand
        = log-odds of the network ± what geometry says + log 2.5 + log P(colour | hand) / P(colour | clothes)

log 2.5, since a jacket that is painted over a finger is worse than a rim of old clothes. The colours are
counted in this picture, weighted by what network and geometry tell (one round of expectation maximisation, as
in GrabCut: Rother et al., SIGGRAPH 2004). So old clothes between the fingers are found, and a fingertip where
geometry sees none.

The share then follows the edges of the camera's picture: around each pixel it is a linear function of the
colour (guided filter: He et al., ECCV 2010), here of the direction of colour that tells hand from clothes.
"""

import cv2
import numpy as np

from pipeline.garment.hand_view import HandView
from pipeline.garment.patch import Patch, window
from pipeline.garment.pose import Hand, Pose
from pipeline.garment.skin_colour import Bins, SkinColour
from pipeline.resize import size_of

# Longer side of the hand's reach, where colours are counted; edges follow the frame itself.
_SIDE = 48
# Clothes around the hand's reach, as a share of its longer side; how far beyond it the hand may be; around
# the palm no sleeve is.
_AROUND, _BEYOND, _AROUND_PALM = 0.3, 0.1, 0.2
# Log-odds: what geometry says, what colour tells at most, and the worse of both errors.
_GEOMETRY, _COLOUR, _WORSE = np.float32(1), np.float32(3), np.float32(np.log(2.5))
# Probabilities of the network nearer to 0 or 1 count as this near.
_NEVER_SURE = np.float32(0.02)
# The guided filter's half width, as a share of the longer side; its regularisation, in values of 0…1.
_RADIUS, _NOISE = 0.05, 1e-4
# Every such pixel tells the direction.
_EVERY = 3
# Half the width of the rise of the share, so that an edge is as sharp as the camera's.
_RISE = 0.15


def hand_edges(
    hand: Hand, frame: np.ndarray, pose: Pose, visible: np.ndarray, left: np.ndarray, view: HandView
) -> tuple[np.ndarray, np.ndarray]:
    """What the hand leaves of a garment, (h, w) uint8, over `view.box`, and where that is told, (h, w) bool.

    frame: (H, W, 3) BGR uint8. visible: the network's, over the box, and left: geometry's, (h, w) uint8.
    """
    picture = frame[window(view.box)]
    small = view.small(picture)
    bins = Bins.of(cv2.cvtColor(small, cv2.COLOR_BGR2LAB).reshape(-1, 3))
    network, geometry = (1 - view.small(share).astype(np.float32) / 255 for share in (visible, left))
    prior = _log_odds(network) + _GEOMETRY * (2 * geometry - 1) + _WORSE
    # On a bare arm, skin tells nothing of the hand.
    most = np.where(view.arms(pose, _AROUND_PALM), np.float32(0), _COLOUR)
    expected = _sigmoid(prior).ravel()
    told = SkinColour(bins, bins, (expected**2, (1 - expected) ** 2)).of(bins).reshape(prior.shape)
    hidden = _sigmoid(prior + told.clip(-_COLOUR, most))
    radius = max(2, round(_RADIUS * view.longer * view.scale))
    share = _along_edges(hidden, small, picture, radius)
    rising = cv2.addWeighted(
        share, -255 / (2 * _RISE), share, 0, 127.5 + 127.5 / (2 * _RISE), dtype=cv2.CV_8U
    )
    # Before another arm, whose colour is the hand's, geometry knows better.
    crossed = view.grown(view.of(*_other_arm(hand, pose)), _BEYOND) & (geometry < 0.5)
    zone = view.grown(view.of(hand.reach), _BEYOND) & ~crossed
    within = cv2.resize(zone.view(np.uint8), size_of(picture), interpolation=cv2.INTER_NEAREST)
    return rising, within > 0


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
