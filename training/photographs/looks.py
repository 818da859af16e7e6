"""How a person looks: colours of skin, hair and clothes, and their cut."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True)
class Looks:
    """Linear RGB colours, lengths in metres."""

    skin: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    hair_colour: np.ndarray
    hair: str
    hair_length: float
    hair_thickness: float
    shirt: np.ndarray
    shirt_sleeve: float
    neckline: float
    trousers: np.ndarray
    beard: float

    def as_meta(self) -> dict[str, Any]:
        kept = {
            "hair": self.hair,
            "hair_length": round(self.hair_length, 3),
            "shirt_sleeve": self.shirt_sleeve,
        }
        return {**kept, "skin": np.round(self.skin, 4).tolist(), "shirt": np.round(self.shirt, 4).tolist()}


_HAIR = np.array([
    (0.006, 0.005, 0.005), (0.012, 0.008, 0.006), (0.03, 0.017, 0.01), (0.07, 0.04, 0.02), (0.16, 0.09, 0.04),
    (0.42, 0.28, 0.13), (0.2, 0.06, 0.02), (0.3, 0.3, 0.3), (0.6, 0.58, 0.55),
])  # fmt: skip


def sample_looks(rng: np.random.Generator, race: tuple[float, float, float], gender: float) -> Looks:
    pale, light, dark = (
        np.array([0.62, 0.41, 0.32]),
        np.array([0.55, 0.35, 0.22]),
        np.array([0.085, 0.042, 0.025]),
    )
    shares = np.array(race) ** 1.3
    shares /= shares.sum()
    skin = np.exp(shares[0] * np.log(dark) + shares[1] * np.log(light) + shares[2] * np.log(pale))
    skin = np.clip(skin * np.exp(rng.normal(0, 0.22)) * np.exp(rng.normal(0, 0.05, 3)), 0.02, 0.75)
    hair = str(rng.choice(["short", "long", "bob", "none", "cap", "bun"], p=_hair_chances(gender)))
    return Looks(
        skin=skin,
        lips=skin * np.array([0.9, 0.5, 0.5]) * rng.uniform(0.75, 1.0),
        iris=np.array([(0.05, 0.025, 0.012), (0.1, 0.16, 0.25), (0.07, 0.1, 0.05)])[
            rng.choice(3, p=[0.6, 0.2, 0.2])
        ],
        hair_colour=_HAIR[rng.choice(9, p=[0.18, 0.16, 0.17, 0.13, 0.1, 0.1, 0.06, 0.06, 0.04])]
        * rng.uniform(0.7, 1.3),
        hair=hair,
        hair_length=float(rng.uniform(0.22, 0.5) if hair == "long" else rng.uniform(0.12, 0.22)),
        hair_thickness=float(rng.uniform(0.008, 0.03)),
        shirt=cloth_colour(rng),
        shirt_sleeve=float(rng.choice([0.12, 0.45, 0.6, 1.9], p=[0.15, 0.4, 0.2, 0.25])),
        neckline=float(rng.choice([0.0, rng.uniform(0.02, 0.1)])),
        trousers=cloth_colour(rng) * 0.7,
        beard=float(rng.uniform(0.2, 0.8)) if gender > 0.5 and rng.random() < 0.4 else 0.0,
    )


def _hair_chances(gender: float) -> list[float]:
    return [0.6, 0.06, 0.06, 0.16, 0.12, 0.0] if gender > 0.5 else [0.14, 0.42, 0.26, 0.02, 0.04, 0.12]


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.35:
        return (
            np.full(3, rng.choice([0.02, 0.04, 0.12, 0.3, 0.6, 0.75]))
            * rng.uniform(0.8, 1.1)
            * np.exp(rng.normal(0, 0.03, 3))
        )
    hue = cv2.cvtColor(
        np.array([[[rng.integers(180), rng.integers(40, 200), rng.integers(40, 240)]]], np.uint8),
        cv2.COLOR_HSV2RGB,
    )
    return (hue[0, 0] / 255.0) ** 2.2 * 0.85 + 0.01
