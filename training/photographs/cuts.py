"""Cuts of jackets: their lengths, ease, fronts, collars, and the trim on their cloth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

# Cuts that only validation scenes have.
VALIDATION_CUTS = frozenset({"coat", "hooded"})


@dataclass(frozen=True)
class Cut:
    """Lengths in metres.

    hem: below the crotch (negative: above); ease, sleeve_ease: between body and cloth; cuff: length beyond
    the wrist. front: `closed`, `open`, or `vee` (closed below a button); gap: half of the open front's
    width at the chest. collar: `stand`, `fold`, `lapel`, `hood`, `none`; collar_height: of its stand; fall:
    of what is turned over. rib: height of ribs at hem and cuffs, 0 for none. stiffness: 0 to 1 against
    bending.
    """

    kind: str
    hem: float
    ease: float
    flare: float
    sleeve_ease: float
    cuff: float
    front: str
    gap: float
    button: float
    collar: str
    collar_height: float
    fall: float
    rib: float
    stiffness: float
    pockets: str
    closure: str
    lapel: float


def sample_cut(rng: np.random.Generator, split: str) -> Cut:
    kinds = (
        sorted(VALIDATION_CUTS)
        if split == "validation"
        else ["blazer", "bomber", "overshirt", "trucker", "anorak"]
    )
    kind = str(rng.choice(kinds, p=None if split == "validation" else [0.34, 0.22, 0.22, 0.12, 0.1]))
    u = rng.uniform
    ease = u(0.012, 0.03)
    front = str(rng.choice(["closed", "open"], p=[0.55, 0.45]))
    common: dict[str, Any] = {"kind": kind, "ease": ease, "gap": u(0.03, 0.085), "button": 0.0, "lapel": 0.0}
    if kind in ("blazer", "coat"):
        return Cut(
            **{**common, "lapel": u(0.05, 0.09), "button": u(0.25, 0.55)},
            hem=u(0.0, 0.1) if kind == "blazer" else u(0.12, 0.3), flare=u(0.01, 0.03), sleeve_ease=u(0.012,
            0.022), cuff=u(-0.01, 0.02), front=str(rng.choice(["vee", "open"], p=[0.7, 0.3])), collar="lapel",
            collar_height=u(0.02, 0.035), fall=u(0.035, 0.05), rib=0.0, stiffness=u(0.5, 0.95),
            pockets="flap", closure="buttons",
        )  # fmt: skip
    if kind == "bomber":
        return Cut(
            **common, hem=u(-0.1, -0.02), flare=u(0.0, 0.03), sleeve_ease=u(0.016, 0.03), cuff=u(0.0, 0.03),
            front=front, collar="stand", collar_height=u(0.03, 0.055), fall=0.0, rib=u(0.04, 0.07),
            stiffness=u(0.2, 0.7), pockets=str(rng.choice(["slant", "none"])), closure="zip",
        )  # fmt: skip
    if kind == "hooded":
        return Cut(
            **common, hem=u(-0.06, 0.05), flare=u(0.0, 0.02), sleeve_ease=u(0.014, 0.026), cuff=u(0.0, 0.03),
            front=front, collar="hood", collar_height=u(0.03, 0.05), fall=u(0.13, 0.18),
            rib=float(rng.choice([0.0, 0.05])), stiffness=u(0.1, 0.6), pockets="slant", closure="zip",
        )  # fmt: skip
    long = kind == "anorak"
    return Cut(
        **common, hem=u(0.02, 0.12) if long else u(-0.06, 0.08), flare=u(0.0, 0.025), sleeve_ease=u(0.012,
        0.026), cuff=u(-0.01, 0.025), front=front, collar=str(rng.choice(["fold", "stand"], p=[0.8, 0.2])),
        collar_height=u(0.025, 0.045), fall=u(0.04, 0.065), rib=0.0, stiffness=u(0.15, 0.7), pockets="patch",
        closure="zip" if long else "buttons",
    )  # fmt: skip
