"""Bodies: poses in the order of MediaPipe's 33 landmarks, and coordinates along torso and limbs.

Lengths are in shoulder widths (between the shoulder joints, about 0.36 m on an adult).
https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
"""

from dataclasses import dataclass

import numpy as np

from pipeline.garment.pose import ARMS, EARS, EYES, HIPS
from training.lucy_tiny.gbuffer import Window

NOSE = 0
(LEFT_EYE, RIGHT_EYE), (LEFT_EAR, RIGHT_EAR), (LEFT_ARM, RIGHT_ARM) = EYES, EARS, ARMS
RIGHT_HIP, LEFT_HIP = HIPS
UPPER_ARM, FOREARM, TORSO = 0.80, 0.70, 1.38


@dataclass(frozen=True)
class Body:
    """A body in pixels, from its landmarks.

    left, right: (3, 2) shoulder, elbow, wrist of the person's left (usually right in the picture) arm.
    depth: (2, 3) distance of shoulder, elbow and wrist of the left and right arm in front of the torso's
        middle, in shoulder widths.
    head: (2,) middle of the face; face: its height from chin to crown in pixels; tilt: radians.
    """

    left: np.ndarray
    right: np.ndarray
    depth: np.ndarray
    head: np.ndarray
    face: float
    tilt: float
    down: np.ndarray
    yaw: float

    @property
    def middle(self) -> np.ndarray:
        """The point between the shoulders."""
        return (self.left[0] + self.right[0]) / 2

    @property
    def unit(self) -> float:
        """The shoulder width in pixels."""
        return float(np.linalg.norm(self.left[0] - self.right[0]))

    def torso_coordinates(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(s, t) of pixels: s across, −0.5 at the right shoulder and 0.5 at the left; t down the spine."""
        across = (self.left[0] - self.right[0]) / self.unit
        matrix = np.linalg.inv(np.stack([across, self.down], axis=1) * self.unit)
        dx, dy = x - self.middle[0], y - self.middle[1]
        return matrix[0, 0] * dx + matrix[0, 1] * dy, matrix[1, 0] * dx + matrix[1, 1] * dy

    def at(self, s: float, t: float) -> np.ndarray:
        """The pixel of torso coordinates (s, t)."""
        across = (self.left[0] - self.right[0]) / self.unit
        return np.asarray(self.middle + self.unit * (s * across + t * self.down))


def read_body(landmarks: np.ndarray, size: tuple[int, int]) -> Body:
    """The body of `landmarks` (33, 4) in a frame of `size` (width, height).

    Joints that were not seen (visibility below 0.2) get their place at rest; impossible hips are ignored.
    Raises ValueError if a shoulder is missing.
    """
    points = landmarks[:, :2].astype(np.float64) * size
    seen = np.isfinite(points).all(axis=1) & (landmarks[:, 3] >= 0.2)
    left, right = points[11], points[12]
    unit = np.linalg.norm(left - right)
    if not seen[[11, 12]].all() or unit < 0.02 * size[0]:
        raise ValueError("landmarks 11 and 12, the shoulders, must be visible and apart from each other")
    across = (left - right) / unit
    down = np.array([-across[1], across[0]])
    hips = (points[LEFT_HIP] + points[RIGHT_HIP]) / 2 - (left + right) / 2
    if seen[[LEFT_HIP, RIGHT_HIP]].all() and hips @ down > 0.8 * unit:
        spine = hips / np.linalg.norm(hips)
        if spine @ down > 0.9:
            down = spine

    def arm(joints: tuple[int, int, int], outwards: np.ndarray) -> np.ndarray:
        shoulder, elbow, wrist = (points[joint] for joint in joints)
        if not seen[joints[1]]:
            elbow = shoulder + unit * UPPER_ARM * (0.97 * down + 0.22 * outwards)
        if not seen[joints[2]]:
            wrist = elbow + unit * FOREARM * down
        return np.stack([shoulder, elbow, wrist])

    z = np.nan_to_num(landmarks[:, 2])
    depth = -np.stack([z[list(LEFT_ARM)], z[list(RIGHT_ARM)]]) * size[0] / unit
    depth = np.clip(depth - depth[:, :1].mean(), -0.4, 0.9)
    eyes = points[LEFT_EYE] - points[RIGHT_EYE]
    ears = (points[LEFT_EAR] + points[RIGHT_EAR]) / 2
    yaw = float(np.clip((points[NOSE] - ears) @ across / (0.35 * unit), -0.8, 0.8))
    return Body(
        left=arm(LEFT_ARM, across),
        right=arm(RIGHT_ARM, -across),
        depth=depth,
        head=ears + 0.02 * unit * down,
        face=0.69 * float(unit),
        tilt=float(np.arctan2(eyes[1], eyes[0])),
        down=down,
        yaw=yaw,
    )


def sample_landmarks(rng: np.random.Generator, reach: float = 1.0) -> np.ndarray:
    """A person in front of a webcam: (33, 4) landmarks in shoulder widths, 0 between the shoulders.

    reach: how far arms and trunk leave their place at rest; 1 for the training's poses.
    """
    mark = np.zeros((33, 4))
    mark[:, 3] = 1
    lean = rng.normal(0, 0.05) * reach
    squeeze = rng.uniform(0.85, 1.0)  # of a trunk that is turned
    for side, (shoulder, elbow, wrist), hip in ((1, LEFT_ARM, LEFT_HIP), (-1, RIGHT_ARM, RIGHT_HIP)):
        joint = np.array([side * 0.5, rng.normal(0, 0.025)])
        raised = np.radians(np.clip(rng.gamma(1.6, 11) * reach - 4, -6, 110))
        front = rng.uniform(0, 0.5)
        upper = UPPER_ARM * rng.uniform(0.85, 1.05) * np.sqrt(1 - front**2 / 3)
        bend = np.radians(rng.choice([rng.uniform(0, 25), rng.uniform(25, 80), rng.uniform(80, 150)]))
        # The forearm bends inwards in front of the trunk, or upwards if the arm is held out.
        turn = raised - bend * rng.choice([1, -0.4], p=[0.85, 0.15])
        point_elbow = joint + upper * np.array([side * np.sin(raised), np.cos(raised)])
        foreshortened = FOREARM * rng.uniform(0.7, 1.05)
        point_wrist = point_elbow + foreshortened * np.array([side * np.sin(turn), np.cos(turn)])
        mark[[shoulder, elbow, wrist], :2] = joint, point_elbow, point_wrist
        mark[[shoulder, elbow, wrist], 2] = 0, -0.12 - 0.3 * front, -0.25 - 0.45 * np.sin(min(bend, 1.5))
        mark[hip, :2] = side * rng.uniform(0.26, 0.34), TORSO * rng.uniform(0.92, 1.08)
        hand = point_wrist + 0.2 * (point_wrist - point_elbow) / foreshortened
        mark[[wrist + 2, wrist + 4, wrist + 6], :2] = hand + rng.normal(0, 0.04, (3, 2))
    head = np.array([rng.normal(0, 0.05), -rng.uniform(0.52, 0.66)])
    yaw = rng.normal(0, 0.35) * reach
    for index, (x, y) in {
        NOSE: (0.3 * yaw, 0.06), LEFT_EYE: (0.085, -0.05), RIGHT_EYE: (-0.085, -0.05),
        LEFT_EAR: (0.2, 0.0), RIGHT_EAR: (-0.2, 0.0), 9: (0.07, 0.16), 10: (-0.07, 0.16),
    }.items():  # fmt: skip
        turned = 0.08 * yaw if index in (LEFT_EYE, RIGHT_EYE, 9, 10) else 0
        mark[index, :2] = head + np.array([x + turned, y])
    for index, beside in {1: 2, 3: 2, 4: 5, 6: 5}.items():
        mark[index, :2] = mark[beside, :2]
    mark[:, 0] *= squeeze
    cos, sin = np.cos(lean), np.sin(lean)
    mark[:, :2] = mark[:, :2] @ np.array([[cos, sin], [-sin, cos]])
    mark[25:, :2] = mark[23:25, :2].mean(axis=0) + np.array([0, 1.2])
    return mark


def window_around(points: np.ndarray, margin: float, size: tuple[int, int]) -> Window | None:
    """The part of a canvas of `size` (height, width) within `margin` of `points` (N, 2); None if empty."""
    low = np.floor(points.min(axis=0) - margin).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    left, top = np.maximum(low, 0)
    right, bottom = np.minimum(high, (size[1], size[0]))
    if right - left < 2 or bottom - top < 2:
        return None
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def pixel_grid(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """x (1, w) and y (h, 1) of a window's pixels."""
    rows, columns = window
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None]
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
    return x, y


def beyond_armhole(s: np.ndarray, t: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The distance of torso coordinates (s outwards, t) beyond the seam where a sleeve begins.

    Above the armpit a sleeve starts at the seam and not at the joint. All points below the armpit or outside
    the trunk count as beyond. inside: the distance inside the trunk's outline, negative outside.
    """
    seam = s - 0.42 - 0.05 * np.clip(t / 0.2, -1, 1) ** 2 + 1.3 * np.clip(t - 0.22, 0, None)
    return np.asarray(np.maximum(seam, -inside))


def along_limb(
    joints: np.ndarray, radii: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates on a limb of three joints (3, 2), which bends in a round elbow.

    Returns a: along it, 0 at the first joint (less in the cap before it), 1 at the second, 2 at the
    third; q: across it, −1 and 1 on its outline; r: its radius there in pixels.
    radii: (3,) pixels at the joints.
    """
    start, middle, end = joints
    # Two points of a quadratic curve near the elbow make it round.
    knots = np.stack(
        [start, start + 0.8 * (middle - start), middle + 0.03 * (start + end - 2 * middle),
         middle + 0.2 * (end - middle), end]
    )  # fmt: skip
    stations = np.array([0.0, 0.8, 1.0, 1.2, 2.0])
    shape = np.broadcast(x, y).shape
    q = np.full(shape, np.inf, np.float32)
    a, r = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for i in range(4):
        edge = knots[i + 1] - knots[i]
        length = max(float(np.linalg.norm(edge)), 1e-3)
        ex, ey = edge / length
        dx, dy = x - np.float32(knots[i, 0]), y - np.float32(knots[i, 1])
        share = (dx * np.float32(ex) + dy * np.float32(ey)) / length
        ahead = stations[i] + np.clip(share, 0 if i else -1, 1) * (stations[i + 1] - stations[i])
        share = np.clip(share, 0, 1)
        across = dx * np.float32(-ey) + dy * np.float32(ex)
        distance = np.hypot(dx - share * edge[0], dy - share * edge[1])
        radius = np.interp(ahead, (0, 1, 2), radii)
        nearer = distance < np.abs(q) * radius
        q = np.where(nearer, np.copysign(distance / radius, across), q)
        a, r = np.where(nearer, ahead, a), np.where(nearer, radius, r)
    return a.astype(np.float32), q.astype(np.float32), r.astype(np.float32)
