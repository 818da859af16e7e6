"""Makes what a client might send from a scene, and what the network should answer."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.garment.difference import difference_mask
from pipeline.garment.placement import near_body
from pipeline.garment.pose import HANDS, SHOULDERS, Pose
from pipeline.garment.softness import soften
from pipeline.garment.visibility import MARGIN, SIDE, UP, planes
from training.landmarks import MIRRORED
from training.visible_garment.occluders import with_fingers, with_hair
from training.visible_garment.scenes import Scene

_OPAQUE = 0.45  # the share of opaque canvases
_LOST = 0.12  # the share of keyframes without a pose
# The shares with drawn fingers and with long hair.
_FINGERS, _HAIR = 0.4, 0.1


@dataclass(frozen=True)
class Sample:
    """planes: (SIDE, SIDE, PLANES) uint8, the network's input.
    drawn, visible: (SIDE, SIDE) uint8, what it should answer.
    drawn_weight, visible_weight: (SIDE, SIDE) float32, how much each pixel counts.
    """

    planes: np.ndarray
    drawn: np.ndarray
    visible: np.ndarray
    drawn_weight: np.ndarray
    visible_weight: np.ndarray


def cropped(sample: Sample, side: int, rng: np.random.Generator) -> Sample:
    """A part of the window, mostly one in which something hides the garment: training on it is cheaper."""
    rows, columns = np.nonzero((sample.visible < 128) & (sample.visible_weight > 1))
    last = SIDE - side
    if len(rows) and rng.random() < 0.65:
        chosen = int(rng.integers(len(rows)))
        corner = (rows[chosen], columns[chosen]) - rng.integers(side // 7, 6 * side // 7, 2)
    else:
        corner = rng.integers(0, last + 1, 2)
    top, left = corner.clip(0, last)
    part = np.s_[top : top + side, left : left + side]
    return Sample(
        sample.planes[part],
        sample.drawn[part],
        sample.visible[part],
        sample.drawn_weight[part],
        sample.visible_weight[part],
    )


def make_sample(scene: Scene, rng: np.random.Generator) -> Sample:
    """A random keyframe of the scene."""
    if rng.random() < _FINGERS:
        scene = with_fingers(scene, rng)
    if rng.random() < _HAIR:
        scene = with_hair(scene, rng)
    window, turn = _window(scene, rng)
    frame = _warped(scene.frame, turn, cv2.BORDER_REPLICATE)
    alpha, shown = _warped(scene.render[..., 3], turn), _warped(scene.visible, turn)
    colour = _warped(_premultiplied(scene.render), turn)
    pose = Pose(_jittered(window, rng), (SIDE, SIDE))

    share = np.where(alpha > 16, shown.astype(np.float32) / np.maximum(alpha, 1), 1)
    visible = np.rint(255 * np.minimum(share, 1)).astype(np.uint8)
    known = (alpha.astype(np.float32) / 255) ** 2
    if rng.random() < 0.3:  # the client's jacket does not fit exactly
        move = _small_move(rng)
        colour, alpha = _moved(colour, move), _moved(alpha, move)
        known *= alpha.astype(np.float32) / 255
    colour = _dyed(colour, alpha, rng)

    opaque = rng.random() < _OPAQUE
    frame = _exposed(frame, rng)
    seen = _coded(_grainy(frame, rng), rng)
    if opaque:
        behind = _late(_grainy(frame, rng), rng)
        canvas = _coded(cv2.add(_times(behind, 255 - alpha), colour), rng)
        geometry = difference_mask(canvas, seen)
        if pose.tracked:
            geometry = near_body(geometry, pose)
    else:
        canvas, alpha = soften(colour, 1.0), soften(alpha, 1.0)
        geometry = alpha
    drawn_weight = np.full((SIDE, SIDE), float(opaque), np.float32)
    drawn_weight *= 1 + 3 * _edge(alpha)
    visible_weight = known * (1 + 3 * _edge(visible) + 1.5 * (visible < 128))
    return Sample(
        planes(seen, canvas, None if opaque else alpha, geometry, pose),
        alpha,
        visible,
        drawn_weight,
        visible_weight.astype(np.float32),
    )


def _window(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The landmarks in a random window around the garment, and the matrix, (2, 3), onto it."""
    height, width = scene.visible.shape
    x, y, columns, rows = cv2.boundingRect((scene.render[..., 3] > 8).view(np.uint8))
    longer = max(columns, rows, 16)
    side = longer * (1 + MARGIN * rng.uniform(0.6, 1.6))
    centre = np.array([x + columns / 2, y + rows / 2 - UP * side]) + rng.normal(0, 0.03, 2) * longer
    angle, mirrored = np.radians(rng.normal(0, 4)), -1 if rng.random() < 0.5 else 1
    scale = SIDE / side
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag([mirrored, 1])
    matrix = np.hstack([turn, (SIDE / 2 - turn @ centre)[:, None]])
    landmarks = scene.landmarks.astype(np.float64).copy()
    if landmarks.any():
        landmarks[:, :2] = (landmarks[:, :2] * (width, height) @ turn.T + matrix[:, 2]) / SIDE
        landmarks[:, 2] *= width * scale / SIDE
        if mirrored < 0:
            landmarks = landmarks[MIRRORED]
    return landmarks, matrix


def _jittered(landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a tracker reports them: with errors, or not at all."""
    if rng.random() < _LOST:
        return np.zeros_like(landmarks)
    unit = np.linalg.norm(np.subtract(*landmarks[list(SHOULDERS), :2]))
    jittered = landmarks.copy()
    jittered[:, :2] += rng.normal(0, rng.uniform(0, 0.03) * unit, (33, 2))
    for hand in HANDS:
        jittered[list(hand), :2] += rng.normal(0, rng.uniform(0, 0.05) * unit, 2)
        if rng.random() < 0.08:  # this hand was not found
            jittered[list(hand), 3] = 0.2
    jittered[:, 2] += rng.normal(0, 0.1 * unit, 33)
    return jittered


def _warped(picture: np.ndarray, matrix: np.ndarray, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
    shrunk = np.linalg.norm(matrix[0, :2]) < 0.7
    if shrunk:
        matrix = matrix.copy()
        matrix[:, :2] *= 2
        matrix[:, 2] += (matrix[:, :2] @ (0.5, 0.5)) / 2  # of pixel centres
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return _warped(picture, matrix, border)
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)


def _premultiplied(render: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(render, cv2.COLOR_RGBA2mRGBA), cv2.COLOR_BGRA2BGR)


def _times(picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    return cv2.multiply(picture, cv2.merge([share] * 3), scale=1 / 255)


def _small_move(rng: np.random.Generator) -> np.ndarray:
    scale = 1 + rng.normal(0, 0.012)
    shift = rng.normal(0, 0.012 * SIDE, 2) + (1 - scale) * SIDE / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _moved(picture: np.ndarray, move: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(picture, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


def _dyed(colour: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The garment in another cloth: its colours, premultiplied by alpha, turned, tinted, or near black."""
    kind = rng.random()
    if kind < 0.4:
        return colour
    if kind < 0.55:  # black, dark
        return cv2.convertScaleAbs(colour, alpha=rng.uniform(0.05, 0.35), beta=0)
    if kind < 0.65:  # as bright as the cloth can be
        grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
        bright = cv2.merge([grey] * 3).astype(np.float32)
        bright *= (
            rng.uniform(180, 250) / max(float(np.percentile(grey[alpha > 200], 90)), 8)
            if (alpha > 200).any()
            else 1
        )
        return np.minimum(bright, cv2.merge([alpha] * 3)).astype(np.uint8)
    order = rng.permutation(3)
    tint = rng.uniform(0.35, 1.5, 3)
    dyed = colour[..., order].astype(np.float32) * tint
    if kind > 0.85:  # a pattern
        cell = int(rng.integers(2, 12))
        pattern = rng.uniform(0.4, 1.3, (SIDE // cell + 1, SIDE // cell + 1, 1)).astype(np.float32)
        dyed *= cv2.resize(pattern, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)[..., None]
    return np.minimum(dyed, cv2.merge([alpha] * 3)).astype(np.uint8)


def _exposed(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frame with another exposure, white balance, contrast and focus."""
    gains = np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.06, 3))
    if rng.random() < 0.08:  # a dark room
        gains *= rng.uniform(0.15, 0.5)
    gamma = np.exp(rng.normal(0, 0.15))
    table = 255 * (np.arange(256)[:, None] / 255) ** gamma * gains
    seen = cv2.LUT(frame, table.clip(0, 255).astype(np.uint8)[None])
    if rng.random() < 0.5:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, 0.9))
    return seen


def _grainy(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grain = cv2.randn(np.empty(frame.shape, np.int16), 0, rng.uniform(0, 5))
    return cv2.add(frame, grain, dtype=cv2.CV_8U)


def _late(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The video that an opaque canvas was drawn over: a moment earlier, with a slightly other exposure."""
    scale = 1 + rng.normal(0, 0.006)
    shift = rng.normal(0, rng.choice([0.4, 2.0]), 2) + (1 - scale) * SIDE / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    late = cv2.warpAffine(frame, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return cv2.convertScaleAbs(late, alpha=np.exp(rng.normal(0, 0.03)))


def _coded(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    quality = int(rng.integers(55, 97))
    return cv2.imdecode(
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )


def _edge(mask: np.ndarray) -> np.ndarray:
    """1 within 3 pixels of the mask's edge."""
    window = np.ones((7, 7), np.uint8)
    return (cv2.dilate(mask, window) > 127).astype(np.float32) - (cv2.erode(mask, window) > 127)
