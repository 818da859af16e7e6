"""When nothing has changed, the last answer holds: whether a keyframe shows what the last one showed."""

from dataclasses import dataclass

import numpy as np

from frontend_proxy.keyframes.thumbnails import GRID, Thumbnails
from frontend_proxy.schemas import KeyframeResult

MAX_AGE_S = 10.0  # what the thumbnails miss, a face's expression, is no older than this
POSE_TOLERANCE = 0.01  # of the frame's width and height; a tracker's jitter is less
CELL_TOLERANCE = 5.0  # of 255; a webcam's noise is under 4 in a cell, a shift of 2 pixels over it
VISIBLE = 0.5
EVERYWHERE = np.ones(GRID[::-1], bool)


@dataclass(frozen=True)
class Scene:
    """All that an answer depends on.

    choices: what the client chose: fabric, seed, steps, …
    pose: (33, 4) float32 as in `Job`, or None.
    thumbnails: None where nobody has looked at the pictures.
    """

    choices: tuple[object, ...]
    pose: np.ndarray | None
    thumbnails: Thumbnails | None = None


class TemporalFilter:
    """One connection's last answer by the model, and the scene that it answered.

    It compares with that scene, not with the last keyframe, so a slow drift is noticed.
    """

    def __init__(self) -> None:
        self._scene: Scene | None = None
        self._answer: KeyframeResult | None = None
        self._at = 0.0

    def remember(self, scene: Scene, answer: KeyframeResult, now: float) -> None:
        self._scene, self._answer, self._at = scene, answer, now

    def may_hold(self, scene: Scene) -> bool:
        """Whether it is worth a look at the pictures: choices and pose have not changed."""
        return (
            self._scene is not None
            and self._scene.choices == scene.choices
            and _same_pose(self._scene.pose, scene.pose)
        )

    def frame_may_hold(self, frame: np.ndarray) -> bool:
        """Whether the camera frame with this thumbnail shows what the last one did, as far as can be told
        without the render, whose thumbnail takes four times as long. For a scene that `may_hold`."""
        if self._scene is None or self._scene.thumbnails is None:
            return False
        before = self._scene.thumbnails
        return _same_frame(before.frame, frame, EVERYWHERE if self._scene.pose is None else before.garment)

    def answer(self, scene: Scene, now: float) -> KeyframeResult | None:
        """The last answer where it holds for `scene`; `now` in seconds, as for `remember`."""
        if self._answer is None or self._scene is None or now - self._at > MAX_AGE_S:
            return None
        before, after = self._scene.thumbnails, scene.thumbnails
        if before is None or after is None or not self.may_hold(scene):
            return None
        return self._answer if _same_picture(before, after, everywhere=scene.pose is None) else None


def _same_pose(before: np.ndarray | None, after: np.ndarray | None) -> bool:
    if before is None or after is None:
        return before is after
    seen = (before[:, 3] > VISIBLE) | (after[:, 3] > VISIBLE)
    both = (before[:, 3] > VISIBLE) & (after[:, 3] > VISIBLE)
    moved = np.abs(after[both, :2] - before[both, :2])
    return bool(np.array_equal(seen, both) and (moved <= POSE_TOLERANCE).all())


def _same_picture(before: Thumbnails, after: Thumbnails, everywhere: bool) -> bool:
    """The render, and the frame where the garment is or was; without a pose, which tells that the person
    has not moved, the frame `everywhere`."""
    region = EVERYWHERE if everywhere else before.garment | after.garment
    render = np.abs(after.render - before.render)
    return _same_frame(before.frame, after.frame, region) and bool((render <= CELL_TOLERANCE).all())


def _same_frame(before: np.ndarray, after: np.ndarray, region: np.ndarray) -> bool:
    return bool((np.abs(after - before)[region] <= CELL_TOLERANCE).all())
