"""How a cloth hangs: the priors of each class for a simulation of drape.

No photo shows what a cloth weighs. Each value has the range within which cloths of that class lie; whoever
knows the cloth better writes the measured value into the catalog. The ranges are from trade descriptions.

weight_gsm: grams per square metre (ISO 3801).
thickness_mm: under a light foot, 2 gf/cm² (FAST-1).
stretch_warp, stretch_weft: extension in per cent under 98 N/m, lengthwise and crosswise (FAST-3, E100).
bend: bending rigidity in µN·m, the mean of both directions (FAST-2).
Units are those of FAST (De Boos & Tester, "SiroFAST", CSIRO 1994).
"""

from types import MappingProxyType
from typing import NamedTuple


class Prior(NamedTuple):
    """What is assumed, and the range of the class."""

    typical: float
    low: float
    high: float


class Drape(NamedTuple):
    weight_gsm: Prior
    thickness_mm: Prior
    stretch_warp: Prior
    stretch_weft: Prior
    bend: Prior

    @property
    def values(self) -> dict[str, float]:
        """What is assumed, by name."""
        return {name: prior.typical for name, prior in self._asdict().items()}

    @property
    def ranges(self) -> dict[str, list[float]]:
        """Lowest and highest value of the class, by name."""
        return {name: [prior.low, prior.high] for name, prior in self._asdict().items()}


NAMES = Drape._fields


def _drape(*priors: tuple[float, float, float]) -> Drape:
    return Drape(*(Prior(*prior) for prior in priors))


# Weight, thickness, stretch along the warp and along the weft, bending rigidity.
DRAPES = MappingProxyType(
    {
        "cloth": _drape((180, 60, 450), (0.45, 0.1, 1.5), (3, 0.3, 15), (5, 0.5, 30), (8, 1, 60)),
        "cotton": _drape((130, 70, 250), (0.3, 0.15, 0.6), (2, 0.5, 8), (4, 0.5, 12), (7, 2, 25)),
        "denim": _drape((400, 250, 520), (0.85, 0.5, 1.2), (1.5, 0.3, 6), (3, 0.5, 30), (60, 20, 150)),
        "canvas": _drape((340, 220, 550), (0.7, 0.4, 1.2), (1.5, 0.3, 5), (2.5, 0.5, 8), (80, 25, 250)),
        "linen": _drape((190, 110, 320), (0.4, 0.2, 0.7), (1.5, 0.3, 5), (2.5, 0.5, 8), (15, 5, 50)),
        "wool": _drape((240, 150, 400), (0.5, 0.3, 1), (3, 1, 8), (5, 2, 15), (9, 4, 25)),
        "tweed": _drape((380, 270, 550), (1.2, 0.7, 2), (4, 1, 10), (6, 2, 14), (25, 10, 70)),
        "flannel": _drape((210, 140, 350), (0.6, 0.4, 1.2), (3, 1, 8), (5, 1, 15), (10, 4, 30)),
        "fleece": _drape((250, 150, 400), (2, 1.2, 4), (12, 4, 30), (25, 8, 60), (12, 4, 35)),
        "felt": _drape((350, 150, 700), (1.6, 0.8, 5), (5, 1, 15), (7, 1, 20), (120, 30, 500)),
        "knit": _drape((260, 150, 500), (1.1, 0.5, 3.5), (15, 5, 50), (35, 10, 100), (4, 1, 15)),
        "jersey": _drape((170, 110, 280), (0.55, 0.35, 1), (20, 5, 60), (40, 10, 120), (2, 0.5, 6)),
        "corduroy": _drape((310, 200, 450), (1.1, 0.6, 1.8), (2, 0.5, 6), (4, 1, 20), (25, 8, 70)),
        "velvet": _drape((280, 170, 450), (1.2, 0.6, 2.4), (3, 1, 10), (5, 1, 30), (14, 5, 40)),
        "suede": _drape((500, 300, 850), (0.9, 0.4, 1.6), (8, 2, 20), (10, 3, 25), (90, 25, 300)),
        "silk": _drape((75, 30, 160), (0.15, 0.05, 0.4), (2, 0.5, 6), (3, 0.5, 10), (2.5, 0.5, 8)),
        "satin": _drape((130, 60, 260), (0.22, 0.1, 0.5), (2, 0.5, 6), (4, 0.5, 15), (4, 1, 12)),
        "chiffon": _drape((45, 18, 90), (0.12, 0.05, 0.25), (2, 0.5, 8), (4, 0.5, 12), (0.8, 0.2, 3)),
        "lace": _drape((120, 40, 260), (0.5, 0.2, 1.2), (8, 1, 40), (12, 2, 60), (3, 0.5, 12)),
        "sequins": _drape((450, 220, 850), (1.2, 0.6, 2.5), (6, 1, 40), (10, 1, 50), (15, 4, 60)),
        "polyester": _drape((130, 60, 260), (0.25, 0.1, 0.6), (2, 0.3, 8), (4, 0.5, 20), (5, 1.5, 20)),
        "nylon": _drape((100, 30, 240), (0.15, 0.05, 0.5), (2, 0.3, 8), (3, 0.5, 12), (4, 0.8, 20)),
        "leather": _drape((750, 400, 1300), (1, 0.5, 2), (6, 1, 20), (8, 2, 25), (250, 50, 1000)),
    }
)
