"""Other colours of skin, hair and clothes on a rendered person, so that a geometry does not tell who it is.

Light is linear in them, too, but for highlights and for light from neighbours."""

import numpy as np

from training.photographs.storage import PARTS, Geometry

_SKIN = ("head", "neck", "torso", "arm", "hand")
# Standard deviations of logarithms: of the brightness and of each channel.
_SPREADS = {"skin": (0.25, 0.05), "hair": (0.4, 0.1), "shirt": (0.6, 0.25), "trousers": (0.5, 0.2)}
# Darker paint makes highlights too dark, brighter paint makes grain too strong; nothing reflects all light.
_DARKEST, _BRIGHTEST, _MOST = 0.2, 2.5, 0.8
# A colour that is not recorded.
_USUAL = (0.3, 0.3, 0.3)


def sample_dyes(geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Factors of the colour of each of PARTS: (P, 3) float32."""
    looks, drawn = geometry.meta["looks"], {}
    for name, (brightness, tint) in _SPREADS.items():
        factor = np.exp(rng.normal(0, brightness) + rng.normal(0, tint, 3))
        own = np.asarray(looks[name] if name in ("skin", "shirt") else _USUAL)
        drawn[name] = np.minimum(np.clip(factor, _DARKEST, _BRIGHTEST), np.maximum(_MOST / own, 1))
    factors = np.ones((len(PARTS), 3), np.float32)
    for index, part in enumerate(PARTS):
        name = "skin" if part in _SKIN else part
        if name in drawn:
            factors[index] = drawn[name]
    return factors
