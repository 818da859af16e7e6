"""Tells print from relief: a dark dot is no hollow.

A print, and stripes of dyed yarn, are areas of a few colours that are wider than the weave. Within an area
brightness comes from the relief; its border is a step of colour and says nothing about the height. (The same
separation as in Barrow & Tenenbaum, "Recovering intrinsic scene characteristics", 1978.)
"""

import cv2
import numpy as np

from fabric.shrink import shrink

MAX_COLOURS = 5
_FINE, _WIDE = 4.0, 16.0  # σ in pixels at a size of 1024; the weave is finer than the second
_SMALL = 256  # pixels per side at which colours are counted
_MIN_STEP = 0.2  # standard deviation of the logarithm of the wide areas' colours
_MIN_WIDE = 0.65  # share of the deviation that is left at the wider σ; a weave's own is about a half
_EXPLAINED = 0.88  # of the variance, by that many colours; a sine, as of a cord's shading, has 0.81 with two
_MIN_CHROMA = 0.1  # deviation with which three and more colours are a print; shading has none
_BORDER = 6.0  # pixels at a size of 1024 on either side of an area's border

Array = np.ndarray


def without_print(linear: Array, luminance: Array) -> Array:
    """`luminance`, the logarithm of that of linear RGB (N, N, 3), without the steps of a print.

    It is returned as it is where the cloth has no print. Borders wrap.
    """
    scale = len(linear) / 1024
    colours = _colours(linear)
    if colours is None:
        return luminance
    labels = _nearest(_smooth(_features(linear, luminance), _FINE / 2 * scale), colours)
    detail = np.empty_like(luminance)
    for number in range(len(colours)):
        area = labels == number
        weight = area.astype(np.float32)
        local = _smooth(luminance * weight, _WIDE * scale) / np.maximum(_smooth(weight, _WIDE * scale), 1e-4)
        detail[area] = (luminance - local)[area]
    return detail * _inside(labels, _BORDER * scale)


def _colours(linear: Array) -> Array | None:
    """The few colours of a print, as (K, 3) features; None without a print."""
    small = shrink(linear, _SMALL, _SMALL)
    features = _features(small, cv2.log(cv2.max(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), 0.01)))
    fine, wide = (_smooth(features, sigma * _SMALL / 1024) for sigma in (_FINE, _WIDE))
    deviation = _deviation(wide)
    if deviation < max(_MIN_STEP, _MIN_WIDE * _deviation(fine)):
        return None
    points = fine[::4, ::4].reshape(-1, 3)  # it was blurred over nearly as much
    total = float(points.var(axis=0).sum())
    chroma = float(np.sqrt(points[:, 1:].var(axis=0).sum()))
    for count in range(2, MAX_COLOURS + 1 if chroma > _MIN_CHROMA else 3):
        colours = _clustered(points, count)
        rest = points - colours[_nearest(points[None], colours)[0]]
        if float((rest**2).sum(axis=1).mean()) < (1 - _EXPLAINED) * total:
            return colours
    return None


def _deviation(features: Array) -> float:
    """Of all channels together."""
    return cv2.norm(cv2.meanStdDev(features)[1])


def _features(linear: Array, luminance: Array) -> Array:
    """(N, N, 3): logarithms of the luminance, and of red and blue relative to green."""
    red, green, blue = (cv2.log(cv2.max(channel, 0.02)) for channel in cv2.split(linear))
    return cv2.merge([luminance, red - green, blue - green])


def _clustered(points: Array, count: int) -> Array:
    """k-means (Lloyd 1982), from the points that are farthest from one another: no chance is involved."""
    centres = points.mean(axis=0, keepdims=True)
    centres = points[[((points - centres) ** 2).sum(axis=1).argmax()]]
    while len(centres) < count:
        distance = ((points[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
        centres = np.vstack([centres, points[distance.argmax()]])
    for _ in range(8):
        labels = _nearest(points[None], centres)[0]
        members = [points[labels == number] for number in range(count)]
        centres = np.array(
            [one.mean(axis=0) if len(one) else old for one, old in zip(members, centres, strict=True)]
        )
    return centres


def _nearest(features: Array, colours: Array) -> Array:
    """The number of the nearest colour of each pixel: (H, W, 3) to (H, W)."""
    distances = [((features - colour.astype(np.float32)) ** 2).sum(axis=2) for colour in colours]
    return np.argmin(distances, axis=0)


def _inside(labels: Array, border: float) -> Array:
    """1 within areas, falling to 0 towards their borders: (N, N) float32."""
    reach = int(2 * border) + 1
    wide = np.pad(labels.astype(np.uint8), reach, mode="wrap")
    kernel = np.ones((3, 3), np.uint8)
    edges = cv2.dilate(wide, kernel) != cv2.erode(wide, kernel)
    distance = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 3)
    return np.clip(distance / border - 0.5, 0, 1)[reach:-reach, reach:-reach]


def _smooth(image: Array, sigma: float) -> Array:
    margin = int(3 * sigma) + 1
    wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_WRAP)
    return cv2.GaussianBlur(wide, (0, 0), sigma)[margin:-margin, margin:-margin]
