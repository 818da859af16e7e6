"""The pose of a client as the model takes it: MediaPipe's landmarks, x and y as shares of the frame.

A pose is an extra: whatever is in it costs no picture. What cannot be used counts as no pose, and a sentence
tells the client what to send instead.
"""

from collections.abc import Callable, Sequence

import numpy as np

from frontend_proxy.landmarks import NO_MARK, find_marks, numbers
from frontend_proxy.trackers import LANDMARKS, MEDIAPIPE, to_mediapipe

COORDINATES = ("x", "y", "z", "visibility")
SHOULDERS = (MEDIAPIPE.index("left_shoulder"), MEDIAPIPE.index("right_shoulder"))
HEAD_AND_SHOULDERS = slice(0, max(SHOULDERS) + 1)
# A share of the frame that is further out than this is none. Legs are often far below a frame of head and
# shoulders, so only head and shoulders are examined.
_MOST = 2.0
_MOST_PERCENT = 120  # a body in per cent may reach a little beyond the frame
_LEAST_SIDE = 240  # pixels of a frame in which numbers of up to 120 can hardly be pixels of a body
_MARGIN = 0.25  # of the frame, by which a shoulder in pixels may be outside it
_MOST_VISIBLE = 2.0  # COCO's annotations have 0, 1 and 2; above, it is in per cent
_WANTED = "x and y must be shares of the frame's width and height, 0 to 1"

Points = Sequence[tuple[float | None, ...]]
Size = tuple[int, int]


def read_pose(pose: object, frame_size: Callable[[], Size | None]) -> tuple[np.ndarray | None, str | None]:
    """The landmarks, float32 (33, 4), or None for no pose; and what the client should know, or None.

    frame_size: returns (width, height), or None if it is unknown. It is called if coordinates are in pixels.
    """
    marks = find_marks(pose)
    if marks is None:
        return None, _not_understood()
    if not marks:
        return None, None
    known, detail = to_mediapipe(marks)
    if known is None:
        return None, detail
    points = numbers(mark or NO_MARK for mark in known)
    tensor = pose_tensor(points)
    if len(known) == len(marks):  # the numbers in the sentence are those of the client's landmarks
        detail = detail or pose_warning(points)
    if tensor is None:
        return None, detail
    tensor, units = _in_shares(tensor, frame_size)
    return tensor, units or detail


def pose_tensor(points: Points | None) -> np.ndarray | None:
    """Points of (x, y, z, visibility) as float32 (33, 4), or None if no point is visible.

    A point that is missing, or has a number that is null, NaN or beyond float32, becomes all zeros: not
    visible. Points after the 33rd are ignored.
    """
    if not points:
        return None
    pose = np.zeros((LANDMARKS, 4), np.float32)
    given = _numbers(points)
    usable = _usable(given).all(axis=1)
    pose[: len(given)][usable] = given[usable]
    if pose[:, 3].max() > _MOST_VISIBLE:
        pose[:, 3] /= 100
    pose[:, 3] = pose[:, 3].clip(0, 1)
    return pose if pose[:, 3].any() else None


def pose_warning(points: Points | None) -> str | None:
    """A sentence for the client about landmarks that `pose_tensor` could not use; None if there are none.

    A pose is optional, so a bad one costs no picture. But the client must be able to find its mistake.
    """
    if not points:
        return None
    usable = _usable(_numbers(points))
    unusable = np.flatnonzero(~usable.all(axis=1))
    if not len(unusable):
        return None
    first = unusable[0]
    missing = ", ".join(name for name, ok in zip(COORDINATES, usable[first], strict=True) if not ok)
    effect = (
        "the picture was made without a pose"
        if len(unusable) == len(usable)
        else "these landmarks were ignored"
    )
    return (
        f"pose: {len(unusable)} of {len(usable)} landmarks lack a finite number "
        f"(landmarks.{first}: {missing}); {effect}"
    )


def _numbers(points: Points) -> np.ndarray:
    """(N, 4). A z or a visibility that no point has counts as unknown, and all points as visible.

    Several bindings fill in 0 or -1 where they know no visibility.
    """
    given = np.array(points[:LANDMARKS], np.float64).reshape(-1, 4)  # None becomes NaN
    x_y = given[:, :2]
    placed = _usable(x_y).all(axis=1)
    if not placed.any():
        return given
    if not _usable(given[:, 2]).any():
        given[:, 2] = 0
    visible = _usable(given[:, 3]) & (given[:, 3] > 0)
    # All points at one place is how other bindings say that nobody is tracked.
    if not visible.any() and np.ptp(x_y[placed], axis=0).any():
        given[:, 3] = 1
    return given


def _usable(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(numbers) <= np.finfo(np.float32).max)  # False for NaN


def _in_shares(
    pose: np.ndarray, frame_size: Callable[[], Size | None]
) -> tuple[np.ndarray | None, str | None]:
    """`pose` with x and y from 0 to 1, which may be in pixels or per cent; None if that is not plain."""
    seen = pose[:, 3] > 0
    upper = seen[HEAD_AND_SHOULDERS]
    x_y = pose[HEAD_AND_SHOULDERS, :2][upper] if upper.any() else pose[seen, :2]
    if np.median(np.abs(x_y).max(axis=1)) <= _MOST:
        outside = ((x_y < 0) | (x_y > 1)).any(axis=1).all()
        return pose, f"pose: head and shoulders are outside the frame; {_WANTED}" if outside else None
    size = frame_size()
    unit = _unit(x_y, size) if size else None
    if unit is None:
        of = f" of {size[0]}×{size[1]} pixels" if size else ""
        problem = f"pose: the landmarks do not lie in the frame{of}, so the picture was made without a pose"
        return None, f"{problem}; {_WANTED}"
    shares = pose.copy()
    shares[:, :2] /= unit
    return shares, None


def _unit(x_y: np.ndarray, size: Size) -> Size | None:
    """What x and y must be divided by; None if that is not plain. x_y: (N, 2) of head and shoulders."""
    low, high = float(x_y.min()), float(x_y.max())
    if high <= _MOST_PERCENT and low >= 100 - _MOST_PERCENT and min(size) >= _LEAST_SIDE:
        return 100, 100
    if high <= _MOST_PERCENT:
        return None
    shares = x_y / size
    near = (shares >= -_MARGIN) & (shares <= 1 + _MARGIN)
    inside = (shares >= 0) & (shares <= 1)
    return size if near.all() and inside.all(axis=1).mean() > 0.5 else None


def _not_understood() -> str:
    return (
        "pose: no landmarks were found in it, so the picture was made without a pose; send "
        f'{{"landmarks": [{{"x", "y", "z", "visibility"}}, …]}} with the {LANDMARKS} points of MediaPipe Pose'
    )
