"""People's appearance: tones of skin and hair, clothes, build."""

from dataclasses import dataclass

import numpy as np

from training.lucy_tiny.fabrics import COLOURS

# sRGB skin and hair tones, light to dark.
_SKIN = (
    (246, 212, 190),
    (232, 190, 160),
    (214, 164, 128),
    (184, 130, 94),
    (140, 92, 62),
    (96, 62, 44),
    (66, 44, 34),
)
_HAIR = (
    *((28, 24, 24), (44, 32, 26), (74, 50, 34), (112, 78, 48), (168, 128, 78), (206, 176, 120)),
    *((120, 52, 30), (150, 148, 146)),
)


@dataclass(frozen=True)
class Looks:
    """skin, hair, lips, shirt, trousers: linear RGB; hair_style: `short`, `long`, `bald`, `curly`, `bun`;
    girth: of trunk and arms, 1 is usual."""

    skin: np.ndarray
    hair: np.ndarray
    lips: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    hair_style: str
    beard: float
    glasses: bool
    long_sleeves: bool
    neckline: float
    girth: float


def sample_looks(rng: np.random.Generator) -> Looks:
    skin = _mix(_SKIN, rng) * rng.normal(1, 0.04, 3)
    style = str(rng.choice(["short", "long", "bald", "curly", "bun"], p=[0.38, 0.3, 0.06, 0.14, 0.12]))
    shirt = np.array(COLOURS[rng.choice(list(COLOURS))]) * rng.uniform(0.7, 1.1)
    return Looks(
        skin=_linear(skin),
        hair=_linear(_mix(_HAIR, rng)),
        lips=_linear(skin * 0.8 + np.array([30, -8, -4])),
        shirt=_linear(shirt),
        trousers=_linear(
            np.array(COLOURS[rng.choice(["black", "navy", "blue", "grey", "camel", "olive"])]) * 0.9
        ),
        hair_style=style,
        beard=float(rng.uniform(0.3, 0.9)) if style in ("short", "bald") and rng.random() < 0.45 else 0.0,
        glasses=bool(rng.random() < 0.2),
        long_sleeves=bool(rng.random() < 0.5),
        neckline=rng.uniform(-0.22, 0.05),
        girth=rng.uniform(0.86, 1.12),
    )


def _linear(colour: np.ndarray) -> np.ndarray:
    return ((np.clip(colour, 4, 250) / 255) ** 2.2).astype(np.float32)


def _mix(colours: tuple[tuple[int, ...], ...], rng: np.random.Generator) -> np.ndarray:
    """A random mixture of two neighbouring colours."""
    first = int(rng.integers(len(colours) - 1))
    share = rng.random()
    return (1 - share) * np.array(colours[first], float) + share * np.array(colours[first + 1], float)
