"""Backgrounds: painted rooms, and public photographs out of focus."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from training.lucy_tiny.noise import smooth_noise
from training.lucy_tiny.photography import Light, to_linear

# Photographs without people that scikit-image ships in its package (public domain or CC0).
_PHOTOGRAPHS = (
    "brick.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


@lru_cache
def _photographs() -> list[np.ndarray]:
    """sRGB uint8 pictures whose shorter side is 320; none if scikit-image is not installed."""
    import importlib.util

    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        return []
    folder = Path(package.submodule_search_locations[0], "data")
    found = []
    for name in _PHOTOGRAPHS:
        picture = cv2.imread(str(folder / name)) if (folder / name).exists() else None
        if picture is not None:
            scale = 320 / min(picture.shape[:2])
            found.append(
                cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[..., ::-1]
            )
    return found


def sample_background(size: tuple[int, int], light: Light, rng: np.random.Generator) -> np.ndarray:
    """A background in the scene's light, linear RGB (height, width, 3)."""
    height, width = size
    pictures = _photographs()
    if pictures and rng.random() < 0.3:
        albedo = _cut(pictures[rng.integers(len(pictures))], size, rng)
    else:
        albedo = _room(size, rng)
    # The light falls off across the room, away from its source.
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    near = 1 + rng.uniform(0.1, 0.5) * (x * light.towards[0] + y * light.towards[1])
    key = (0.45 * light.key * np.clip(near, 0.2, None))[..., None] * light.tint
    return albedo * (key + 0.9 * light.ambient * light.sky) * np.float32(rng.uniform(0.7, 1.1))


def _cut(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    height, width = picture.shape[:2]
    side = int(rng.integers(120, min(height, width)))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    window = picture[top : top + side, left : left + side]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    window = cv2.resize(np.ascontiguousarray(window), size[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(to_linear(window), (0, 0), rng.uniform(0.5, 8) * size[0] / 256)


def _room(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A wall with things on it, drawn at a quarter of the size and out of focus."""
    height, width = max(16, size[0] // 2), max(16, size[1] // 2)

    def colour(low: float, high: float, chroma: float) -> np.ndarray:
        return np.clip(rng.uniform(low, high) + rng.normal(0, chroma, 3), 0.02, 0.95)

    room = np.empty((height, width, 3), np.float32)
    room[:] = colour(0.15, 0.8, 0.06)
    room *= 1 + 0.05 * smooth_noise((height, width), 40, rng)[..., None]
    for _ in range(rng.integers(0, 9)):
        kind = rng.random()
        x, y = rng.uniform(-0.1, 1) * width, rng.uniform(-0.1, 0.9) * height
        w, h = rng.uniform(0.05, 0.4) * width, rng.uniform(0.05, 0.6) * height
        box = [(int(x), int(y)), (int(x + w), int(y + h))]
        if kind < 0.35:  # a picture or poster
            cv2.rectangle(room, box[0], box[1], colour(0.05, 0.9, 0.02).tolist(), -1)
            inner = [(int(x + 0.1 * w), int(y + 0.1 * h)), (int(x + 0.9 * w), int(y + 0.9 * h))]
            cv2.rectangle(room, inner[0], inner[1], colour(0.05, 0.8, 0.15).tolist(), -1)
        elif kind < 0.6:  # a shelf of books
            left = x
            while left < x + 2 * w:
                thick = rng.uniform(0.012, 0.04) * width
                top = y + rng.uniform(0, 0.05) * height
                spine = [(int(left), int(top)), (int(left + thick), int(y + 0.2 * height))]
                cv2.rectangle(room, spine[0], spine[1], colour(0.03, 0.6, 0.12).tolist(), -1)
                left += thick + 1
            board = [(int(x), int(y + 0.2 * height)), (int(x + 2 * w), int(y + 0.22 * height))]
            cv2.rectangle(room, board[0], board[1], colour(0.1, 0.5, 0.03).tolist(), -1)
        elif kind < 0.75:  # a window or a lamp
            cv2.rectangle(room, box[0], box[1], colour(0.85, 0.95, 0.02).tolist(), -1)
            cv2.line(room, (int(x + w / 2), int(y)), (int(x + w / 2), int(y + h)), (0.3, 0.3, 0.3), 2)
        elif kind < 0.9:  # a plant
            for _ in range(12):
                centre = (int(x + rng.normal(0, 0.06) * width), int(y + rng.normal(0, 0.1) * height))
                axes = (int(rng.uniform(2, 6)), int(rng.uniform(6, 16)))
                green = (0.05, rng.uniform(0.15, 0.35), 0.06)
                cv2.ellipse(room, centre, axes, rng.uniform(0, 180), 0, 360, green, -1)
        else:  # a door or curtain
            cv2.rectangle(room, (int(x), 0), (int(x + w), height), colour(0.1, 0.7, 0.05).tolist(), -1)
    blur = rng.uniform(0.3, 5) * height / 128
    room = cv2.GaussianBlur(room, (0, 0), blur)
    return cv2.resize(room, size[::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
