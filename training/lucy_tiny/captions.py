"""The language of captions, which the text encoder learns.

A caption names the garment's colour and fabric, then the light: "a person wearing a navy denim jacket, warm
hard light from the left". Training leaves out random parts, because prompts may be shorter: the server
only knows the fabric's name.
"""

from collections.abc import Iterator

import numpy as np

PROMPT = "a person wearing a {fabric} jacket"

FABRICS = (
    *("canvas", "cashmere", "corduroy", "cotton", "denim", "felt", "flannel", "fleece", "herringbone"),
    *("houndstooth", "knit", "leather", "linen", "nylon", "plaid", "quilted", "satin", "silk", "striped"),
    *("suede", "tartan", "tweed", "twill", "velvet", "wool"),
)
COLOURS = (
    *("black", "blue", "brown", "burgundy", "camel", "charcoal", "cream", "dark", "green", "grey", "ivory"),
    *(
        "light",
        "mustard",
        "navy",
        "olive",
        "orange",
        "pink",
        "purple",
        "red",
        "rust",
        "teal",
        "white",
        "yellow",
    ),
)
GARMENTS = ("jacket", "blazer", "coat", "hoodie", "suit", "bomber", "biker", "trucker")
TINTS = ("warm", "neutral", "cool")
HARDNESSES = ("soft", "hard")
DIRECTIONS = ("left", "right", "above", "front")
# Brightness levels of the garment in the finished picture, darkest first.
LEVELS = ("very dim", "dim", "", "bright", "very bright")


def light_phrase(tint: str, hardness: str, direction: str, level: str = "") -> str:
    """For instance "dim warm hard light from the left"."""
    source = direction if direction == "above" else f"the {direction}"
    return " ".join(f"{level} {tint} {hardness} light from {source}".split())


def caption(colour: str, fabric: str, light: str = "") -> str:
    """For instance "a person wearing a navy denim jacket, warm soft light from the left"."""
    garment = " ".join(PROMPT.replace("{fabric}", f"{colour} {fabric}").split())
    return f"{garment}, {light}" if light else garment


def drop_parts(colour: str, fabric: str, light: str, rng: np.random.Generator) -> str:
    """The caption with parts left out: 50 % whole, 10 % no light, 20 % only the fabric, 10 % only the
    light, 10 % empty."""
    kind = rng.choice(5, p=[0.5, 0.1, 0.2, 0.1, 0.1])
    return [caption(colour, fabric, light), caption(colour, fabric), caption("", fabric), light, ""][kind]


def corpus() -> Iterator[str]:
    """Every word of the language in a sentence, for the tokenizer's training."""
    for fabric in FABRICS:
        for colour in COLOURS:
            yield caption(colour, fabric)
    for tint in TINTS:
        for hardness in HARDNESSES:
            for direction in DIRECTIONS:
                for level in LEVELS:
                    yield light_phrase(tint, hardness, direction, level)
    yield from GARMENTS
