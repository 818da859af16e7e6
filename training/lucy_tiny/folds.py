"""Folds of cloth, as heights in shoulder widths, where a garment is pulled, pressed or bent.

Folds fan out from the points where cloth is held (an armpit, a closed button, the inside of an elbow) and
form rings where a sleeve is too long for its arm. Their places depend on the body, with some random
variation: a model can learn where folds belong, but no two jackets are equal.
"""

import numpy as np


def crease(phase: np.ndarray, sharpness: float) -> np.ndarray:
    """Pipe folds of period 1, heights −0.5 to 0.5; `sharpness` 1 is round, 3 a narrow ridge."""
    return np.asarray((0.5 + 0.5 * np.cos(2 * np.pi * phase)) ** sharpness - 0.5)


def fan(
    s: np.ndarray, t: np.ndarray, centre: tuple[float, float], count: float, reach: float,
    warp: np.ndarray, sharpness: float, start: float,
) -> np.ndarray:  # fmt: skip
    """Folds that spread from `centre`: `count` per full circle, the first at angle `start` (in circles). They
    end at distance `reach`."""
    ds, dt = s - np.float32(centre[0]), t - np.float32(centre[1])
    distance = np.hypot(ds, dt)
    turn = np.arctan2(dt, ds) / (2 * np.pi) - start
    # Their width grows with the distance; at the centre itself, where the cloth is held, there are none.
    weight = np.minimum(distance, reach) * np.exp(-((distance / reach) ** 2))
    return np.asarray(crease(count * turn + warp, sharpness) * weight)


def torso_folds(
    s: np.ndarray, t: np.ndarray, waist: float, closed: bool, noise: np.ndarray, rng: np.random.Generator,
    sharpness: float,
) -> np.ndarray:  # fmt: skip
    """The folds of a jacket's front and back. s, t: torso coordinates; waist: t of its button; noise: smooth,
    of unit variance, the shape of s."""
    heights = np.zeros(np.broadcast(s, t).shape, np.float32)
    for side in (-1, 1):
        centre = (side * 0.47, 0.2 + rng.normal(0, 0.03))
        start = 0.25 + side * 0.1 + rng.normal(0, 0.012)
        inwards = np.clip((0.45 - side * s) / 0.12, 0, 1)
        heights += 0.18 * inwards * fan(s, t, centre, 11, 0.34, 0.15 * noise, sharpness, start)
    if closed:
        level = np.abs(s) / (np.hypot(s, t - waist) + 0.02)  # a button pulls sideways
        pulled = fan(s, t, (0.0, waist), 12, 0.26, 0.15 * noise, sharpness, rng.normal(0, 0.01))
        heights += 0.12 * level**2 * pulled
    # Pressed at the waist, hanging below it.
    pressed = np.exp(-(((t - waist) / 0.16) ** 2)) * np.clip(np.abs(s) / 0.3, 0, 1)
    heights += 0.018 * pressed * crease(6.5 * t + 1.2 * np.abs(s) + 0.2 * noise, sharpness)
    hanging = np.clip((t - waist) / 0.5, 0, 1)
    heights += 0.021 * hanging * crease(3.4 * np.abs(s) + 0.3 * noise + 0.4 * t, 1.0)
    return heights


def sleeve_folds(
    a: np.ndarray, q: np.ndarray, bend: float, noise: np.ndarray, rng: np.random.Generator, sharpness: float
) -> np.ndarray:
    """The folds of a sleeve. a, q: coordinates along and across (`anatomy.along_limb`); bend: of the elbow in
    radians, positive when the inside is at positive q."""
    side = np.sign(bend) or 1.0
    inside = np.clip(0.55 + 0.45 * side * q, 0, 1)
    bent = min(abs(bend), 2.0)
    # Rings at the elbow, drawn together on its inside.
    spread = (a - 1) / (0.55 - 0.3 * inside)
    heights = (
        (0.021 + 0.021 * bent)
        * inside
        * np.exp(-(((a - 1) / 0.3) ** 2))
        * crease(1.6 * spread + 0.15 * noise + 0.5, sharpness)
    )
    # Cloth that is too long gathers above the cuff; a drag runs down from the shoulder.
    heights += (
        0.021
        * np.exp(-(((a - 1.75) / 0.22) ** 2))
        * crease(4.5 * a + 0.5 * side * q + 0.2 * noise + rng.uniform(-0.08, 0.08), sharpness)
    )
    heights += (
        0.018
        * np.exp(-(((a - 0.4) / 0.35) ** 2))
        * crease(2.2 * a - 0.9 * side * q + 0.2 * noise + rng.uniform(-0.08, 0.08), sharpness)
    )
    return np.asarray(heights)
