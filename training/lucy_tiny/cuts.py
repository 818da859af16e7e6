"""The cut of a jacket, independent of its cloth and of the body."""

from dataclasses import dataclass

import numpy as np

COLLARS = ("lapels", "stand", "shirt", "hood", "none")
CLOSURES = ("buttons", "zip", "open", "plain")


@dataclass(frozen=True)
class Cut:
    """A jacket's pattern. Lengths in shoulder widths.

    hem: its lower edge below the shoulders; ease: how far it stands off the body; chest, waist, hip: half
    widths of the trunk's outline; opening: t of the upper end of the closure; gap: half width of an open
    front at the hem; sleeve_end: where the cuff is, 2 at the wrist; padding: of the shoulders; band: a ribbed
    hem.
    """

    collar: str
    closure: str
    hem: float
    ease: float
    chest: float
    waist: float
    hip: float
    opening: float
    gap: float
    sleeve_end: float
    padding: float
    pockets: bool
    band: bool


def sample_cut(rng: np.random.Generator, spread: float = 1.0) -> Cut:
    """A random cut for training. spread: how unusual its measures may be."""
    collar, closure = rng.choice(COLLARS, p=[0.4, 0.17, 0.17, 0.13, 0.13]), rng.choice(CLOSURES)
    if collar == "lapels" and closure in ("zip", "plain"):
        closure = "buttons"
    # How far down the neck is open.
    low, high = {
        "lapels": (0.35, 0.75),
        "shirt": (-0.1, 0.25),
        "hood": (-0.12, 0.2),
        "stand": (-0.29, -0.22),
    }.get(collar, (-0.2, -0.02))
    hem = rng.uniform(1.05, 1.75)
    return Cut(
        collar=str(collar),
        closure=str(closure),
        hem=hem,
        ease=rng.uniform(0.0, 0.07) * spread,
        chest=rng.uniform(0.47, 0.54),
        waist=rng.uniform(0.40, 0.50),
        hip=rng.uniform(0.43, 0.54),
        opening=rng.uniform(low, high),
        gap=rng.uniform(0.06, 0.3) if closure == "open" else 0.0,
        sleeve_end=rng.uniform(1.85, 2.0),
        padding=rng.uniform(0.0, 0.05) * spread,
        pockets=bool(rng.random() < 0.6),
        band=bool(collar != "lapels" and rng.random() < 0.5),
    )
