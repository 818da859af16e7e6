"""The basis of lights, and how an environment picture is mixed from it.

World axes: x to the person's left, y backwards (the person faces −y), z up. Each light is a distant disc of
radiance 1 (soft) or of irradiance π (hard): a white wall that faces it is then as bright as white paper.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

SOFT, HARD = 20, 4
_GOLDEN = np.pi * (3 - np.sqrt(5))
# A soft light's disc is as large as its share of the sphere.
SOFT_ANGLE = 2 * np.arccos(1 - 2 / SOFT)
_RING = np.radians(4)


@dataclass(frozen=True)
class Lights:
    """towards: (G, 3) unit vectors from the person to each light; angle: (G,) its diameter, radians."""

    towards: np.ndarray
    angle: np.ndarray
    hard: np.ndarray

    @property
    def irradiance(self) -> np.ndarray:
        """(G,) of a surface that faces the light."""
        return np.where(self.hard, np.pi, np.pi * np.sin(self.angle / 2) ** 2)

    def as_meta(self) -> list[dict[str, Any]]:
        rows = zip(self.towards, self.angle, self.hard, strict=True)
        return [
            {"towards": np.round(t, 5).tolist(), "angle": round(float(a), 5), "hard": bool(h)}
            for t, a, h in rows
        ]

    @classmethod
    def of_meta(cls, rows: list[dict[str, Any]]) -> "Lights":
        return cls(
            np.array([row["towards"] for row in rows], np.float32),
            np.array([row["angle"] for row in rows], np.float32),
            np.array([row["hard"] for row in rows]),
        )


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector; azimuth 0 is before the person, positive to the person's left."""
    flat = np.cos(elevation)
    return np.array([np.sin(azimuth) * flat, -np.cos(azimuth) * flat, np.sin(elevation)])


def sample_lights(rng: np.random.Generator) -> Lights:
    """Soft lights all over the sphere, turned at random, and a few hard ones, mostly before the person."""
    index = np.arange(SOFT)
    height = 1 - (2 * index + 1) / SOFT
    around = _GOLDEN * index + rng.uniform(0, 2 * np.pi)
    flat = np.sqrt(1 - height**2)
    soft = np.stack([flat * np.cos(around), flat * np.sin(around), height], 1)
    sides = rng.permutation([-1, 1, rng.choice([-1, 1]), rng.choice([-1, 1])])
    reach = np.radians([rng.uniform(10, 80), rng.uniform(20, 100), rng.uniform(0, 60), rng.uniform(90, 165)])
    rise = np.radians([rng.uniform(8, 25), rng.uniform(28, 45), rng.uniform(45, 65), rng.uniform(15, 45)])
    hard = np.stack([direction(s * a, e) for s, a, e in zip(sides, reach, rise, strict=True)])
    angles = np.radians([rng.uniform(6, 12), rng.uniform(2, 4), rng.uniform(2, 8), rng.uniform(2, 8)])
    return Lights(
        np.concatenate([soft, hard]),
        np.concatenate([np.full(SOFT, SOFT_ANGLE), angles]),
        np.arange(SOFT + HARD) >= SOFT,
    )


def sphere(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions (h, w, 3) and solid angles (h, w) of an environment picture's pixels (equirectangular)."""
    polar = (np.arange(height) + 0.5) / height * np.pi
    around = -(np.arange(width) + 0.5) / width * 2 * np.pi
    towards = np.empty((height, width, 3), np.float32)
    towards[..., 0] = np.sin(polar)[:, None] * np.cos(around)
    towards[..., 1] = np.sin(polar)[:, None] * np.sin(around)
    towards[..., 2] = np.cos(polar)[:, None]
    area = np.sin(polar)[:, None] * np.ones(width) * (np.pi / height) * (2 * np.pi / width)
    return towards, area.astype(np.float32)


def lookup(towards: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where directions (…, 3) lie in an environment picture: x and y in pixels, float32."""
    around = -np.arctan2(towards[..., 1], towards[..., 0]) / (2 * np.pi) % 1
    polar = np.arccos(np.clip(towards[..., 2], -1, 1)) / np.pi
    return (around * width - 0.5).astype(np.float32), (polar * height - 0.5).astype(np.float32)


def turn(angle: float) -> np.ndarray:
    """Rotation about the vertical, (3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


@dataclass(frozen=True)
class Sun:
    """A compact source in an environment: its direction, and its irradiance in RGB."""

    towards: np.ndarray
    irradiance: np.ndarray


@dataclass(frozen=True)
class Environment:
    """Light from everywhere: a picture without its compact sources (h, w, 3), and these sources."""

    picture: np.ndarray
    suns: tuple[Sun, ...]

    @property
    def natural(self) -> "Environment":
        """The same with no sun of one colour alone.

        Some pictures were compressed so that red and green are lost where they are brightest.
        """
        suns = []
        for sun in self.suns:
            light = sun.irradiance
            if light.min() < 0.1 * light.max():
                light = 0.6 * light.max() * np.array([1.0, 0.9, 0.75])
            suns.append(Sun(sun.towards, light))
        return Environment(self.picture, tuple(suns))

    @classmethod
    def of_picture(cls, picture: np.ndarray) -> "Environment":
        """picture: (h, w, 3) linear, equirectangular."""
        rest = np.maximum(picture.astype(np.float32), 0)
        towards, area = sphere(*rest.shape[:2])
        suns: list[Sun] = []
        for _ in range(3):
            brightness = rest.mean(axis=2)
            total = float((brightness * area).sum())
            peak = np.unravel_index(brightness.argmax(), brightness.shape)
            near = towards @ towards[peak]
            disc = near > np.cos(_RING)
            ring = (near > np.cos(2.5 * _RING)) & ~disc
            around = np.median(rest[ring], axis=0)
            over = np.maximum(rest[disc] - around, 0)
            light = (over * area[disc][:, None]).sum(axis=0)
            if float(light.mean()) < 0.06 * total:
                break
            middle = (towards[disc] * (over.mean(axis=1) * area[disc])[:, None]).sum(axis=0)
            suns.append(Sun(middle / np.linalg.norm(middle), light))
            rest[disc] = np.minimum(rest[disc], around)
        return cls(rest, tuple(suns))

    def weights(self, lights: Lights, rotation: float) -> np.ndarray:
        """How much of each light of the basis makes this environment, turned by an angle: (G, 3)."""
        soft = ~lights.hard
        matrix = turn(rotation)
        height, width = self.picture.shape[:2]
        towards, area = sphere(height, width)
        turned = towards.reshape(-1, 3) @ matrix.T
        cell = (turned @ lights.towards[soft].T).argmax(axis=1)
        energy = self.picture.reshape(-1, 3) * area.reshape(-1, 1)
        mixed = np.zeros((len(lights.hard), 3))
        disc = 2 * np.pi * (1 - np.cos(lights.angle[soft] / 2))
        for channel in range(3):
            sums = np.bincount(cell, energy[:, channel], minlength=int(soft.sum()))
            mixed[soft, channel] = sums / disc
        for sun in self.suns:
            near = lights.towards @ (matrix @ sun.towards)
            hard = np.where(lights.hard, near, -2)
            if hard.max() > np.cos(np.radians(28)):
                mixed[hard.argmax()] += sun.irradiance / np.pi
            else:
                best = int(np.where(soft, near, -2).argmax())
                mixed[best] += sun.irradiance / lights.irradiance[best]
        return mixed
