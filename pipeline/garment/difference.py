"""Finds the garment of an opaque render: the part that differs from the camera frame.

The render was drawn over the same video a moment earlier, perhaps with another exposure, and has been
compressed. The difference where nothing was drawn tells how large a difference must be to count.
"""

import cv2
import numpy as np

from pipeline.garment.pictures import largest_channel
from pipeline.resize import size_of

# Long side of the pictures, in pixels; the numbers below were chosen for it.
WORK_AT = 448
# A pixel that differs by more grey levels was drawn over, however strong the noise.
_DRAWN = 48
# How many pixels, at that size, a person may have moved since the render was drawn.
_LAG = 3
# Up to this threshold render and video show the same moment.
_STILL = 16
# The same for the mean of 6 × 6 pixels, which has less noise: the least difference, and per level of noise.
_FAINT, _FAINT_PER_NOISE = 2, 1.2
# A hole is filled if so much of it has the garment's own colours, and up to this share of the garment.
_OWN, _LARGEST_HOLE = 0.9, 0.1
# From a mask blurred over 3 × 3 pixels to one whose edge lies half a pixel farther inside: a codec carries
# the garment's colour outwards, and video within the mask would get the garment's light, a bright rim.
_INWARDS = np.rint((np.arange(256) - 85.0).clip(0) * 1.5).astype(np.uint8)


def difference_mask(render: np.ndarray, video: np.ndarray) -> np.ndarray:
    """The garment's coverage, (h, w) uint8.

    render, video: (h, w, 3) BGR uint8, their longer side at most `WORK_AT` pixels; the render was drawn over
    the video, which is the camera frame.
    """
    blurred = cv2.blur(255 * _garment(render, _match_exposure(video, render)), (3, 3))
    return cv2.blur(cv2.LUT(blurred, _INWARDS), (3, 3))


def _garment(render: np.ndarray, video: np.ndarray) -> np.ndarray:
    """1 where `render` shows the garment and `video`, of the same size, does not."""
    difference = largest_channel(cv2.absdiff(render, video))
    threshold = _threshold(difference)
    changed = _majority((difference > threshold).view(np.uint8))
    drawn = _open((_beyond_motion(render, video) > threshold).view(np.uint8), 1)
    if threshold > _STILL:  # the person moved: keep to where only drawing explains the difference
        changed &= cv2.dilate(drawn, _disc(2 * _LAG))
    bodies = _with_evidence(_open(changed, _LAG), drawn)
    if not bodies.any():
        return bodies
    alike = _of_own_colours(render, bodies)
    return _fill_gaps(_completed(bodies, alike, render, video, threshold), alike)


def _completed(
    bodies: np.ndarray, alike: np.ndarray, render: np.ndarray, video: np.ndarray, threshold: float
) -> np.ndarray:
    """`bodies` with the parts that are nearly as dark as what is behind them; found at half the size.

    alike: 1 where the render has the garment's colours.
    """
    size = size_of(bodies)
    half = tuple((side + 1) // 2 for side in size)
    known, own = (np.ascontiguousarray(mask[::2, ::2]) for mask in (bodies, alike))
    drawn, seen = (
        cv2.blur(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), (3, 3))
        for picture in (render, video)
    )
    faint = _beyond_motion(drawn, seen, (_LAG + 1) // 2) > _FAINT + _FAINT_PER_NOISE * (threshold - 8) / 3
    whole = _fill_holes(_grown(known, faint.view(np.uint8) & own), own)
    if not (whole > known).any():
        return bodies
    return bodies | cv2.resize(whole, size, interpolation=cv2.INTER_NEAREST)


def _match_exposure(video: np.ndarray, render: np.ndarray) -> np.ndarray:
    """The video with the render's exposure and white balance: one gain per channel."""
    seen, drawn = video[::8, ::8], render[::8, ::8]
    alike = (largest_channel(cv2.absdiff(drawn, seen)) < _DRAWN) & (seen[:, :, 1] > 30)
    if alike.mean() < 0.05:
        return video
    gains = np.median(drawn[alike] / np.maximum(seen[alike], 1).astype(np.float32), axis=0)
    tables = np.arange(256)[:, None] * gains
    return cv2.LUT(video, np.rint(tables).clip(0, 255).astype(np.uint8)[None])


def _threshold(difference: np.ndarray) -> float:
    """A difference in grey levels well above that of pixels on which nothing was drawn."""
    quiet = difference[::4, ::4]
    quiet = quiet[quiet < _DRAWN]
    noise = float(np.percentile(quiet, 60)) if quiet.size else _DRAWN
    return min(8 + 3 * noise, _DRAWN)


def _beyond_motion(render: np.ndarray, video: np.ndarray, lag: int = _LAG) -> np.ndarray:
    """How far the render is outside the range of the video within `lag` pixels: 0 at edges that moved."""
    window = np.ones((2 * lag + 1, 2 * lag + 1), np.uint8)
    above = cv2.subtract(render, cv2.dilate(video, window))
    below = cv2.subtract(cv2.erode(video, window), render)
    return largest_channel(cv2.max(above, below))


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _open(mask: np.ndarray, radius: int) -> np.ndarray:
    """Remove parts that are thinner than the disc; the frame's edge does not count as their end."""
    padded = cv2.copyMakeBorder(mask, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    return cv2.morphologyEx(padded, cv2.MORPH_OPEN, _disc(radius))[radius:-radius, radius:-radius]


def _majority(mask: np.ndarray) -> np.ndarray:
    """The 5 × 5 median of a mask of 0 and 1, in an eighth of `medianBlur`'s time."""
    return (cv2.blur(255 * mask, (5, 5)) > 127).view(np.uint8)


def _with_evidence(changed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The pieces of `changed` that motion alone does not explain; small stray pieces are dropped."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(changed, ltype=cv2.CV_16U)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    evidence = np.bincount(labels[drawn > 0], minlength=len(areas))
    evidence[0] = 0
    kept = (evidence > 0.1 * areas) & (evidence > 0.05 * evidence.max())
    return changed if kept[1:].all() else kept.view(np.uint8).take(labels)


def _of_own_colours(render: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """1 where the render has colours that it has inside `bodies`, and rarely outside."""
    own, rest = (_histogram(render, mask) for mask in (bodies, 1 - bodies))
    own_colours = (own > 0.01 * own.sum()) & (own > rest / 4)
    # Not by calcBackProject, which takes the third axis of a histogram in Python for channels.
    blue, green, red = (channel.astype(np.uint16) for channel in cv2.split(render >> 4))
    return np.asarray(own_colours.view(np.uint8).ravel().take(blue << 8 | green << 4 | red))


def _grown(bodies: np.ndarray, faint: np.ndarray) -> np.ndarray:
    """`bodies` with the pieces of `faint` that touch them: a garment as dark as what is behind it."""
    whole = cv2.morphologyEx(faint | bodies, cv2.MORPH_OPEN, _disc(1)) | bodies
    _, labels = cv2.connectedComponents(whole, ltype=cv2.CV_16U)
    touching = np.zeros(labels.max() + 1, np.uint8)
    touching[labels[bodies > 0]] = 1
    touching[0] = 0
    return np.asarray(touching.take(labels))


def _fill_gaps(bodies: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """`bodies` with gaps filled where the garment happens to have the frame's own colour."""
    gaps = cv2.compare(_closed(bodies), bodies, cv2.CMP_GT) & alike
    return _majority(bodies | _open(gaps, 1))


def _fill_holes(bodies: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """`bodies` without holes of the garment's own colours; the frame's lower edge may close one."""
    around = cv2.copyMakeBorder(1 - bodies, 1, 0, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(around, connectivity=4, ltype=cv2.CV_16U)
    labels = labels[1:, 1:-1]
    own = np.bincount(labels[alike > 0], minlength=len(stats))
    areas = stats[:, cv2.CC_STAT_AREA]
    holes = (own >= _OWN * areas) & (areas <= _LARGEST_HOLE * np.count_nonzero(bodies))
    holes[[0, labels[0, 0]]] = False
    return bodies | holes.view(np.uint8).take(labels) if holes.any() else bodies


def _closed(bodies: np.ndarray) -> np.ndarray:
    """`bodies` with bays narrower than 3 % of the frame closed; computed at a quarter of the size."""
    small = bodies[::4, ::4]
    reach = max(1, round(0.03 * max(small.shape)))
    room = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(room, cv2.MORPH_CLOSE, _disc(reach))[reach:-reach, reach:-reach]
    return cv2.resize(closed, size_of(bodies), interpolation=cv2.INTER_NEAREST)


def _histogram(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The number of pixels inside `mask` per colour, with 16 levels per channel: (16, 16, 16)."""
    return cv2.calcHist([picture], [0, 1, 2], mask, [16] * 3, [0, 256] * 3)
