"""Real photographs of people in the public domain, from packages that are installed anyway."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from skimage import data

from benchmarks import portrait

Points = list[tuple[int, int]]


@dataclass(frozen=True)
class Portrait:
    """
    source: who made it, under which terms.
    load: the photograph, (H, W, 3) BGR uint8.
    outlines: of the garment's plain cloth, a little inside its edges, in pixels. without: badges, buttons.
    joints: by MediaPipe's numbers, in pixels; set by hand.
    """

    name: str
    source: str
    load: Callable[[], np.ndarray]
    outlines: tuple[Points, ...]
    without: tuple[Points, ...]
    joints: dict[int, tuple[float, float]]

    @cached_property
    def photograph(self) -> np.ndarray:
        return self.load()

    @cached_property
    def cloth(self) -> np.ndarray:
        """(H, W) uint8, the garment's coverage."""
        mask = np.zeros(self.photograph.shape[:2], np.uint8)
        for outlines, value in ((self.outlines, 255), (self.without, 0)):
            for outline in outlines:
                cv2.fillPoly(mask, [np.array(outline)], value)
        return cv2.GaussianBlur(mask, (0, 0), 1.0)

    @cached_property
    def landmarks(self) -> np.ndarray:
        """(33, 4) float32 as MediaPipe gives them."""
        height, width = self.photograph.shape[:2]
        points = np.zeros((33, 4), np.float32)
        for number, (x, y) in self.joints.items():
            points[number] = (x / width, y / height, 0, 0.99)
        return points


def _square(left: int, top: int, right: int, bottom: int) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _astronaut_joints() -> dict[int, tuple[float, float]]:
    points = portrait.landmarks()
    return {number: (512 * x, 512 * y) for number, (x, y, _, seen) in enumerate(points.tolist()) if seen}


def portraits() -> tuple[Portrait, ...]:
    return (
        Portrait(
            "astronaut",
            "NASA, public domain, in scikit-image: Eileen Collins, 1999",
            lambda: portrait.frame()[:, :, ::-1].copy(),
            (
                [(104, 216), (60, 244), (42, 300), (32, 350), (28, 410), (38, 465), (62, 490), (115, 478),
                 (150, 458), (205, 468), (232, 440), (232, 300), (190, 283), (150, 255), (122, 228)],
                [(265, 306), (298, 290), (307, 250), (338, 272), (354, 330), (350, 346), (310, 375),
                 (285, 400), (277, 380), (272, 340)],
            ),
            (
                [(168, 340), (200, 355), (214, 387), (200, 418), (168, 430), (136, 418), (124, 387),
                 (136, 355)],
                _square(18, 325, 53, 389),
                _square(270, 329, 337, 386),
            ),
            _astronaut_joints(),
        ),
        Portrait(
            "photographer",
            "Lav Varshney, CC0, in scikit-image (camera), grey",
            lambda: cv2.cvtColor(data.camera(), cv2.COLOR_GRAY2BGR),
            (
                [(154, 110), (163, 160), (180, 212), (205, 215), (225, 240), (280, 250), (285, 285),
                 (250, 298), (205, 295), (170, 330), (140, 375), (60, 350), (35, 330), (20, 290), (8, 265),
                 (40, 225), (70, 180), (95, 145), (125, 122)],
            ),
            (),
            {
                0: (243, 185), 2: (230, 160), 5: (232, 160), 7: (190, 140), 8: (186, 140), 9: (230, 190),
                10: (226, 190), 11: (170, 195), 12: (92, 190), 13: (262, 275), 14: (150, 305), 15: (312, 190),
                16: (270, 215), 23: (118, 385), 24: (70, 380),
            },
        ),
        Portrait(
            "officer",
            "US Navy, public domain, in matplotlib (grace_hopper): Grace Hopper, 1984",
            lambda: cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")),
            (
                [(182, 342), (150, 360), (68, 392), (46, 414), (34, 454), (22, 520), (20, 599), (508, 599),
                 (506, 440), (484, 396), (440, 372), (346, 324), (334, 324), (334, 378), (308, 436),
                 (294, 470), (258, 534), (208, 446), (194, 405), (190, 360)],
            ),
            (_square(70, 476, 178, 528), _square(312, 480, 464, 536), _square(222, 566, 270, 599)),
            {
                0: (266, 240), 2: (306, 186), 5: (218, 188), 7: (364, 186), 8: (164, 190), 9: (290, 276),
                10: (236, 278), 11: (462, 412), 12: (72, 415), 13: (492, 640), 14: (30, 640), 15: (430, 820),
                16: (90, 820), 23: (370, 880), 24: (140, 880),
            },
        ),
    )  # fmt: skip
