"""Section on robustness: is a scan repeatable, and does it refuse unusable photos?"""

from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks.fabric.materials import jpeg, texture
from benchmarks.fabric.metrics import Measure
from fabric import FabricError, scan
from fabric.builtin import RECIPES


def robustness(quick: bool) -> Iterator[Measure]:
    """The same photo twice, and unusable photos."""
    photo = jpeg(RECIPES["denim-blue"].make(2))
    yield Measure("byte-identical maps of one photo", float(scan(photo).maps == scan(photo).maps), 1, 1)
    bad = {
        "not an image": b"not an image",
        "42 megapixels": cv2.imencode(".png", np.zeros((6000, 7000), np.uint8))[1].tobytes(),
    }
    refused = 0
    for data in bad.values():
        try:
            scan(data)
        except FabricError:
            refused += 1
    yield Measure("bad photos refused with a code", refused, len(bad), len(bad))
    poor = {
        "1×1": np.zeros((1, 1, 3), np.uint8),
        "flat colour": np.full((600, 600, 3), 120, np.uint8),
        "black": np.zeros((600, 600, 3), np.uint8),
    }
    advised = sum(bool(scan(cv2.imencode(".jpg", image)[1].tobytes()).detail) for image in poor.values())
    yield Measure("poor photos scanned with advice", advised, len(poor), len(poor))
    portrait = cv2.imencode(".png", cv2.cvtColor(texture("astronaut"), cv2.COLOR_RGB2BGR))[1].tobytes()
    said = any("more than one even fabric" in line for line in scan(portrait).quality["advice"])
    yield Measure("a portrait is called no fabric", float(said), 1, 1)
