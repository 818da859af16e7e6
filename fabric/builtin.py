"""`python -m fabric.builtin -o folder/`: generate photos of the built-in fabrics and scan them.

The photos go through the same scan as a customer's photo. `fabric` and `catalog` do not import each other:
`python -m catalog --built-in folder/*` reads the folders that a scan writes.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fabric.folder import write_folder
from fabric.light import linear_to_srgb, srgb_to_linear
from fabric.options import ScanOptions
from fabric.scanner import scan
from fabric.weaves import Weave, leather, nap, ribs, weave_cloth

SIDE = 1400  # of the generated photo, in pixels
WIDTH_MM = 90.0  # of cloth that the photo shows


@dataclass(frozen=True)
class Recipe:
    """A built-in fabric: its catalog entry, and `make`, which makes its photo in linear RGB from a seed."""

    name: str
    fabric_class: str
    fibre: str
    weave: str
    description: str
    tags: tuple[str, ...]
    make: Callable[[int], np.ndarray]


def colour(code: str) -> np.ndarray:
    """One or several `#rrggbb` codes in one text as linear RGB (N, 3)."""
    codes = [bytes.fromhex(part) for part in code.replace("#", " ").split()]
    return srgb_to_linear(np.array([list(c) for c in codes], np.uint8)).astype(np.float64)


def stripes(*runs: tuple[int, str]) -> np.ndarray:
    """The colours of N threads (N, 3) from pairs of (count, `#rrggbb`)."""
    return np.concatenate([np.repeat(colour(code), count, axis=0) for count, code in runs])


def woven(
    draft: str, pitch: float, warp: np.ndarray, weft: np.ndarray, **looks: float
) -> Callable[[int], np.ndarray]:
    return lambda seed: weave_cloth(Weave(draft, (pitch, pitch), warp, weft, **looks), SIDE, seed)


_PLAID = stripes(
    (14, "#7c1f22"), (3, "#1c2233"), (5, "#7c1f22"), (10, "#1f2b3f"), (2, "#cfc4ae"), (10, "#1f2b3f")
)

RECIPES: dict[str, Recipe] = {
    "denim-blue": Recipe(
        "Blue denim", "denim", "cotton", "3/1 twill", "Indigo warp over a white weft.",
        ("blue", "jeans", "woven"),
        woven("denim", 7, colour("#304b78"), colour("#93a2b8"), irregular=0.9, fuzz=0.3, depth=0.8),
    ),
    "leather-black": Recipe(
        "Black leather", "leather", "leather", "grain", "Full-grain hide, lightly pebbled.",
        ("black", "smooth"),
        lambda seed: leather(SIDE, 20, colour("#373534")[0], seed),
    ),
    "cotton-grey": Recipe(
        "Grey cotton", "cotton", "cotton", "plain", "A plain shirting, slightly slubbed.",
        ("grey", "woven"),
        woven("plain", 6, colour("#a2a3a6"), colour("#97989b"), irregular=0.45, fuzz=0.3, depth=0.55),
    ),
    "wool-navy": Recipe(
        "Navy wool", "wool", "wool", "2/2 twill", "A suiting with a soft nap.",
        ("navy", "blue", "woven"),
        woven("twill", 10, colour("#2f3b5c"), colour("#27314d"), irregular=0.6, fuzz=0.9, depth=0.55),
    ),
    "silk-champagne": Recipe(
        "Champagne silk", "silk", "silk", "satin", "Long floats that lie close and shine.",
        ("beige", "shiny"),
        woven("satin", 5, colour("#f0dcb9"), colour("#dfc69c"),
              irregular=0.2, fuzz=0.05, depth=0.16, gloss=0.06),
    ),
    "polyester-red": Recipe(
        "Red polyester", "polyester", "polyester", "twill", "Even filament yarn.",
        ("red", "woven", "sport"),
        woven("twill", 6, colour("#c4202c"), colour("#b01a27"),
              irregular=0.12, fuzz=0.0, depth=0.45, gloss=0.05),
    ),
    "suede-tan": Recipe(
        "Tan suede", "suede", "leather", "nap", "The brushed flesh side of a hide.",
        ("tan", "brown", "soft"),
        lambda seed: nap(SIDE, colour("#b98a5c")[0], seed),
    ),
    "nylon-olive": Recipe(
        "Olive nylon", "nylon", "nylon", "basket", "A tight shell fabric.",
        ("olive", "green", "outdoor"),
        woven("basket", 7, colour("#666b41"), colour("#5b603a"),
              irregular=0.1, fuzz=0.0, depth=0.5, gloss=0.05),
    ),
    "tweed-herringbone": Recipe(
        "Herringbone tweed", "tweed", "wool", "herringbone", "Oatmeal and peat, broken every eight ends.",
        ("brown", "woven", "winter"),
        woven("herringbone", 10, colour("#bdb096"), colour("#4f453a"), irregular=1.0, fuzz=0.8, depth=0.6),
    ),
    "flannel-plaid": Recipe(
        "Plaid flannel", "flannel", "cotton", "2/2 twill", "A brushed red and navy check.",
        ("red", "check", "soft"),
        woven("twill", 6, _PLAID, _PLAID, irregular=0.4, fuzz=0.6, depth=0.35),
    ),
    "corduroy-brown": Recipe(
        "Brown corduroy", "corduroy", "cotton", "cut pile", "Broad wales of cut pile.",
        ("brown", "ribbed"),
        lambda seed: ribs(SIDE, 46, colour("#80583a")[0], seed),
    ),
    "linen-natural": Recipe(
        "Natural linen", "linen", "linen", "plain", "Uneven yarn, open weave.",
        ("beige", "summer", "woven"),
        woven("plain", 11, colour("#cbbb9c"), colour("#c0ae8d"), irregular=0.8, fuzz=0.25, depth=0.75),
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fabric.builtin", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=RECIPES, help="only these fabrics (default: all)")
    arguments = parser.parse_args()
    for seed, (fabric_id, recipe) in enumerate(RECIPES.items()):
        if arguments.only and fabric_id not in arguments.only:
            continue
        pixels = linear_to_srgb(recipe.make(seed))
        photo = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
        result = scan(photo, ScanOptions(fabric_class=recipe.fabric_class, physical_width_mm=WIDTH_MM))
        details: dict[str, object] = {
            "name": recipe.name,
            "description": recipe.description,
            "tags": recipe.tags,
            "fibre": recipe.fibre,
            "weave": recipe.weave,
            "license": "CC0-1.0",
            "provenance": {"source": "python -m fabric.builtin", "seed": seed},
        }
        write_folder(result, arguments.output / fabric_id, details)
        print(fabric_id, ", ".join(result.quality["advice"]))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
