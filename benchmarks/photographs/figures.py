"""How near an answer comes to the photograph, inside the visible garment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from benchmarks.photographs.scene import Scene

# Shading is what is smoother than this share of the frame's height, in brightness.
_SMOOTH = 0.015
# A hand's pixel is painted over, or a jacket's is left bare, from half the coverage on.
_HALF = 127


@dataclass(frozen=True)
class Figures:
    """
    psnr: decibels. ssim: of brightness, in windows. delta_e: CIE 2000, mean of the pixels.
    mean_delta_e: between the mean colours.
    shading: correlation of the smooth change of brightness, from composite to answer with that from composite
        to photograph; None for the composite itself.
    detail: energy of the fine structure over the photograph's.
    hand: share of the hands before the jacket that is painted over; None without one.
    bare: of the visible jacket that the client has drawn, the share that is not painted.
    iou: of the masks. outside: mean difference to the camera in grey levels, where there is neither garment
        nor render.
    """

    psnr: float
    ssim: float
    delta_e: float
    mean_delta_e: float
    shading: float | None
    detail: float
    hand: float | None
    bare: float
    iou: float
    outside: float


def measure(scene: Scene, picture: np.ndarray, mask: np.ndarray) -> Figures:
    """picture: (H, W, 3) BGR uint8. mask: (H, W) uint8, where it has painted a garment."""
    where, painted = scene.visible > _HALF, mask > _HALF
    both = structural_similarity(*(_grey(it).astype(np.uint8) for it in (picture, scene.target)), full=True)[
        1
    ]
    colours = [_lab(it[where][None]) for it in (picture, scene.target)]
    means = [_lab(it[where].mean(axis=0)[None, None]) for it in (picture, scene.target)]
    outside = (scene.visible == 0) & (scene.alpha == 0)
    error = (picture[where].astype(np.float64) - scene.target[where]) ** 2
    return Figures(
        psnr=float(10 * np.log10(255**2 / max(error.mean(), 1e-6))),
        ssim=float(both[where].mean()),
        delta_e=float(deltaE_ciede2000(*colours).mean()),
        mean_delta_e=float(deltaE_ciede2000(*means).mean()),
        shading=_shading(scene, picture),
        detail=_detail(picture, where) / max(_detail(scene.target, where), 1e-6),
        hand=float(painted[scene.hands].mean()) if scene.hands.sum() > 50 else None,
        bare=float((~painted)[where & (scene.alpha > _HALF)].mean()),
        iou=float((painted & where).sum() / max((painted | where).sum(), 1)),
        outside=float(np.abs(picture[outside].astype(np.int16) - scene.frame[outside]).mean())
        if outside.any()
        else 0.0,
    )


def best_gain(scene: Scene) -> np.ndarray:
    """The composite in the best gain of each channel: what any global match could reach."""
    where = scene.visible > _HALF
    drawn, wanted = scene.composite[where].astype(np.float64), scene.target[where].astype(np.float64)
    gain = (drawn * wanted).sum(axis=0) / np.maximum((drawn**2).sum(axis=0), 1)
    result = scene.frame.copy()
    result[where] = np.rint(drawn * gain).clip(0, 255)
    return result


def mean(rows: list[Figures]) -> dict[str, float]:
    """The mean of each figure over the scenes that have it."""
    table: dict[str, float] = {}
    for name in Figures.__dataclass_fields__:
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        if values:
            table[name] = round(float(np.mean(values)), 4)
    return table


def rounded(figures: Figures) -> Mapping[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in asdict(figures).items()}


def _shading(scene: Scene, picture: np.ndarray) -> float | None:
    weight = (scene.visible > _HALF).astype(np.float32)
    sigma = _SMOOTH * len(weight)
    around = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4

    def smooth(it: np.ndarray) -> np.ndarray:
        grey = (_grey(it).astype(np.float32) + 4) * weight
        return np.log(cv2.GaussianBlur(grey, (0, 0), sigma) / around + 1)[weight > 0]

    start, answer, truth = (smooth(it) for it in (scene.composite, picture, scene.target))
    changes = answer - start, truth - start
    if min(it.std() for it in changes) < 1e-3:
        return None
    return float(np.corrcoef(*changes)[0, 1])


def _detail(picture: np.ndarray, where: np.ndarray) -> float:
    grey = _grey(picture).astype(np.float32)
    inner = cv2.erode(where.view(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 2)
    return float((fine[inner] ** 2).mean()) if inner.any() else 0.0


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def _lab(bgr: np.ndarray) -> np.ndarray:
    return rgb2lab(bgr[..., ::-1].astype(np.float64) / 255)
