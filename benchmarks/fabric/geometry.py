"""Sections on geometry: does the scan find the cloth's repeat and corners?"""

from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks.fabric.materials import CLOTH, grey_square, lights, measured, table_top, texture, woven
from benchmarks.fabric.metrics import Measure
from fabric.builtin import RECIPES
from fabric.light import linear_to_srgb
from fabric.rectify import find_outline
from fabric.repeat import find_repeats
from fabric.weaves import DRAFTS, Weave, nap, weave_cloth

GREY = np.array([0.45, 0.42, 0.4]), np.array([0.2, 0.2, 0.24])


def periods(quick: bool) -> Iterator[Measure]:
    """Weaves of known period, also rotated, and cloth without a period."""
    errors, angles = [], []
    for draft in list(DRAFTS)[: 2 if quick else len(DRAFTS)]:
        for pitch in ((7.3, 8.1), (12.7, 11.4), (17.3, 16.2)):
            weave = Weave(draft, pitch, *GREY, irregular=0.4)
            grey = cv2.cvtColor(linear_to_srgb(weave_cloth(weave, 1400, 3)), cv2.COLOR_RGB2GRAY)
            for turned in (0.0, 6.0):
                matrix = cv2.getRotationMatrix2D((700, 700), -turned, 1)
                square = cv2.warpAffine(grey, matrix, (1400, 1400), flags=cv2.INTER_CUBIC)[188:1212, 188:1212]
                for repeat, truth in zip(find_repeats(square), weave.period, strict=True):
                    errors.append(abs(repeat.period / truth - 1) * 100 if repeat else 100.0)
                    if repeat:
                        x, y = repeat.vector
                        angles.append(
                            abs(np.degrees(np.arctan2(y, x) if x > abs(y) else np.arctan2(-x, y)) - turned)
                        )
    none = [texture("grass"), texture("gravel"), linear_to_srgb(nap(1024, GREY[0], 2))]
    none += [linear_to_srgb(measured("felt").albedo), linear_to_srgb(measured("leather").albedo)]
    found = [r for image in none for r in find_repeats(grey_square(image)) if r]
    yield Measure("period error, worst (%)", max(errors), 0, 0.5)
    yield Measure("rotation error, worst (degrees)", max(angles), 0, 0.5)
    yield Measure("periods found where there is none", len(found), 0, 0)


def perspective(quick: bool) -> Iterator[Measure]:
    """Swatches on generated tables, and photos that cloth fills."""
    rng = np.random.default_rng(5)
    errors, missed = [], 0
    count = 4 if quick else 36
    recipes = list(RECIPES)
    for index in range(count):
        cloth = woven(recipes[index % len(recipes)])
        corners = np.array([[330, 250], [1080, 230], [1120, 940], [300, 960]]) + rng.uniform(-90, 90, (4, 2))
        tone = np.array([[168, 140, 105], [70, 62, 58], [225, 224, 220], [120, 128, 132]])[
            (index + index // len(recipes)) % 4  # each cloth on several tables
        ]
        grain = cv2.GaussianBlur(rng.normal(0, 1, (1200, 1400)), (0, 0), sigmaX=12, sigmaY=1.5)
        table = np.clip(tone + 30 * grain[..., None] / grain.std() * 0.15, 0, 255)
        outline = find_outline(table_top(cloth, corners, table, (1200, 1400)))
        if outline is None:
            missed += 1
            continue
        side = min(np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1))
        errors.append(100 * np.linalg.norm(outline.corners - corners, axis=1).max() / side)
    full = [
        linear_to_srgb(measured(name).albedo * field) for name in CLOTH for field in lights(1024).values()
    ]
    full += [woven(name) for name in RECIPES]
    full += [texture(name) for name in ("brick", "grass", "gravel")]
    yield Measure("corner error, worst (% of the side)", max(errors, default=100.0), 0, 1.0)
    yield Measure(f"swatches not found (of {count})", missed, 0, count // 18)
    yield Measure("outlines found where there is none", sum(find_outline(f) is not None for f in full), 0, 0)
