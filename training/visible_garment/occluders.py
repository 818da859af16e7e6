"""Fingers and hair that painted scenes lack: drawn on the camera's picture, in front of the garment.

A painted hand is nearly as simple as its landmarks. A network that has seen nothing else learns to repeat
what geometry says of a hand. So hands with stretched, bent and spread fingers are drawn over them.
"""

from dataclasses import replace

import cv2
import numpy as np

from pipeline.garment.patch import Box, window
from pipeline.garment.pose import EARS, HANDS, SHOULDERS
from training.visible_garment.scenes import Scene

_FINER = 4  # times as fine as the picture, for smooth edges


def with_fingers(scene: Scene, rng: np.random.Generator) -> Scene:
    """Hands that lie on the garment get fingers."""
    size = scene.visible.shape[::-1]
    points = scene.landmarks[:, :2] * size
    for wrist, *knuckles in HANDS:
        little, index, _ = points[knuckles]
        ahead = (little + index) / 2 - points[wrist]
        middle = np.rint(points[wrist] + 0.6 * ahead).astype(int)
        inside = (middle >= 3).all() and (middle < np.array(size) - 3).all()
        if not inside or np.linalg.norm(ahead) < 4 or scene.visible[middle[1], middle[0]] > 127:
            continue
        near = scene.frame[middle[1] - 2 : middle[1] + 3, middle[0] - 2 : middle[0] + 3]
        skin = np.median(near.reshape(-1, 3), axis=0)
        across = index - little
        side = np.sign(ahead[0] * across[1] - ahead[1] * across[0]) or 1.0
        width = float(max(np.linalg.norm(index - little), 0.55 * np.linalg.norm(ahead)))
        parts = _hand(points[wrist], ahead, width, side, rng)
        places = np.vstack([line for line, _ in parts])
        low = np.floor(places.min(axis=0) - width).clip(0).astype(int)
        high = np.ceil(places.max(axis=0) + width).clip(0, size).astype(int)
        parts = [([point - low for point in line], thick) for line, thick in parts]
        columns, rows = (high - low).tolist()
        scene = _covered(scene, *_shaded(parts, skin, (columns, rows), rng), (low[0], low[1], columns, rows))
    return scene


def _hand(
    wrist: np.ndarray, ahead: np.ndarray, width: float, side: float, rng: np.random.Generator
) -> list[tuple[list[np.ndarray], float]]:
    """Lines and their widths, from the palm to the thumb. side: 1 or −1, where the thumb is."""
    length = np.linalg.norm(ahead)
    along = ahead / length
    across = side * np.array([-along[1], along[0]])
    stretched, spread = rng.uniform(0.45, 1.05), rng.uniform(0.0, 0.35)
    parts = [([wrist + 0.15 * ahead, wrist + 0.6 * ahead, wrist + 0.9 * ahead], 0.95 * width)]
    for place in (-0.42, -0.14, 0.14, 0.42):
        base = wrist + 0.95 * ahead + place * width * across
        bent = rng.normal(0, 0.12)
        reach = length * stretched * rng.uniform(0.8, 1.0) * (1 - 0.5 * abs(place - 0.1))
        first = base + 0.5 * reach * _turned(along, side * (spread * place * 2))
        tip = first + 0.5 * reach * _turned(along, side * (spread * place * 2) + bent)
        parts.append(([base, first, tip], 0.25 * width * rng.uniform(0.85, 1.1)))
    root = wrist + 0.35 * ahead + 0.4 * width * across
    end = root + rng.uniform(0.4, 0.75) * length * _turned(along, side * rng.uniform(0.1, 1.0))
    parts.append(([root, end], 0.28 * width))
    return parts


def _turned(direction: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]]) @ direction


def _shaded(
    parts: list[tuple[list[np.ndarray], float]],
    skin: np.ndarray,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The hand's colours, (H, W, 3) float32, and its coverage, (H, W) float32."""
    canvas = np.zeros((size[1] * _FINER, size[0] * _FINER), np.uint8)
    light = np.zeros(canvas.shape, np.float32)
    for line, width in parts:
        part = np.zeros_like(canvas)
        drawn = (np.array(line) * _FINER).round().astype(np.int32)
        cv2.polylines(part, [drawn], False, 1, max(2, round(width * _FINER)))
        x, y, columns, rows = cv2.boundingRect(part)
        if not columns:
            continue
        box = np.s_[y : y + rows, x : x + columns]
        depth = cv2.distanceTransform(cv2.copyMakeBorder(part[box], 1, 1, 1, 1, 0), cv2.DIST_L2, 3)[
            1:-1, 1:-1
        ]
        round_off = np.sqrt(np.minimum(2 * depth / max(width * _FINER, 1), 1))
        inside = part[box] > 0
        light[box][inside] = (0.7 + 0.35 * round_off)[inside]
        canvas[box] |= part[box]
    light *= 1 + rng.normal(0, 0.12) * np.linspace(-1, 1, canvas.shape[1], dtype=np.float32)
    coverage = cv2.resize(255 * canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    shade = cv2.resize(light, size, interpolation=cv2.INTER_AREA) / np.maximum(coverage, 1e-3)
    return shade[..., None] * skin.astype(np.float32), coverage


def with_hair(scene: Scene, rng: np.random.Generator) -> Scene:
    """Long hair falls from the head over the shoulders."""
    size = scene.visible.shape[::-1]
    points = scene.landmarks[:, :2] * size
    unit = float(np.linalg.norm(np.subtract(*points[list(SHOULDERS)])))
    if not scene.landmarks[list(EARS)].any() or unit < 20:
        return scene
    colour = rng.choice(
        [(25, 28, 32), (30, 45, 70), (60, 110, 150), (90, 150, 190), (40, 60, 110), (150, 150, 155)]
    )
    picture = np.zeros((size[1] * 2, size[0] * 2), np.uint8)
    shade = np.zeros(picture.shape, np.float32)
    middle = points[list(EARS)].mean(axis=0)
    low = points[list(SHOULDERS), 1].mean() + unit * rng.uniform(-0.1, 0.7)
    outwards = rng.uniform(0.1, 0.35) * unit
    for ear in EARS:
        if rng.random() < 0.2:
            continue
        side = np.sign(points[ear][0] - middle[0]) or 1.0
        for _ in range(int(rng.integers(40, 140))):
            x = points[ear][0] + side * rng.uniform(-0.06, 0.1) * unit
            start = np.array([x, points[ear][1] + rng.uniform(-0.1, 0.1) * unit])
            drift = side * rng.uniform(-0.3, 1) * outwards
            end = np.array([x + drift, low + rng.normal(0, 0.08) * unit])
            steps = np.linspace(0, 1, 6)[:, None]
            line = start + steps * (end - start)
            line[:, 0] += 0.02 * unit * np.sin(rng.uniform(0, 6) + 5 * steps[:, 0])
            drawn = (2 * line).round().astype(np.int32)
            width = max(1, round(rng.uniform(0.01, 0.04) * unit * 2))
            cv2.polylines(picture, [drawn], False, 255, width)
            cv2.polylines(shade, [drawn], False, float(rng.uniform(0.6, 1.3)), width)
    coverage = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    shade = cv2.resize(shade, size, interpolation=cv2.INTER_AREA) / np.maximum(coverage, 1e-3)
    return _covered(scene, shade[..., None] * colour.astype(np.float32), coverage, (0, 0, size[0], size[1]))


def _covered(scene: Scene, colours: np.ndarray, coverage: np.ndarray, box: Box) -> Scene:
    """The scene with something in front of the garment, in the camera's picture and in the photograph.

    colours, coverage: over `box`.
    """
    part, frame, visible = window(box), scene.frame.copy(), scene.visible.copy()
    mixed = frame[part] + coverage[..., None] * (colours - frame[part])
    frame[part] = np.rint(mixed).clip(0, 255)
    visible[part] = np.rint(visible[part] * (1 - coverage))
    return replace(scene, frame=frame, visible=visible)
