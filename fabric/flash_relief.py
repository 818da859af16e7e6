"""Relief from two photos of the same cloth: without and with the phone's flash.

What the flash adds lights the cloth from the lens, whatever the room's light is. Dyes darken both lights by
the same factor, so that the ratio of the two is shading alone. To first order the logarithm of the ratio is
the slope towards the room's light minus that towards the flash (Pentland, "Linear shape from shading", 1990).
Seen from the cloth, the flash comes from another side at each point, and the camera's geometry tells from
which. So the shading's strength varies over the cloth; its course tells the room's light and the true scale.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fabric import fourier

_FINE, _WIDE = 0.7, 14.0  # σ in pixels of a tile of 1024: finer is noise, wider is light
_ACROSS = 0.15  # of the power, added where the light runs along the threads and shows no slope
_CELLS = 8  # along a side, in which the shading's strength is measured
_LIMIT = 3.0  # standard deviations; a highlight is no slope
_DARKEST = 0.04  # of the brightest: what the flash hardly reaches
_LEAST, _MOST = 0.15, 1.3  # tangent of the room's light's angle from straight above
_SHALLOW = 0.4  # of the room's light: where the flash comes from nearly the same side, noise would be relief
_DOUBTFUL, _CERTAIN = 0.8, 0.9  # share of the shading's variation that the lights explain

Array = np.ndarray


@dataclass(frozen=True)
class Slopes:
    """towards: (N, N) how steeply the cloth falls in the direction `along` (x, y), of length 1.

    trust: 0 to 1.
    """

    towards: Array
    along: tuple[float, float]
    trust: float


@dataclass(frozen=True)
class View:
    """Where the lens is over the tile, in its pixels: above `foot` (x, y), `height` away from the plane."""

    foot: tuple[float, float]
    height: float

    def towards(self, side: int) -> Array:
        """The flash's direction at each pixel, as the tangents (x, y) of its angles: (side, side, 2)."""
        at = np.arange(side, dtype=np.float32)
        x, y = ((foot - at) / self.height for foot in self.foot)
        return np.dstack(np.meshgrid(x, y)).astype(np.float32)


def camera_view(to_photo: Array, photo: tuple[int, int], focal: float) -> View:
    """to_photo: 3×3 from the tile's pixels to the photo's of (width, height). focal: in pixels."""
    inner = np.array([[focal, 0, photo[0] / 2], [0, focal, photo[1] / 2], [0, 0, 1]])
    plane = np.linalg.inv(inner) @ to_photo
    plane /= np.sqrt(np.linalg.norm(plane[:, 0]) * np.linalg.norm(plane[:, 1]))
    turn = np.column_stack([plane[:, 0], plane[:, 1], np.cross(plane[:, 0], plane[:, 1])])
    x, y, z = -np.linalg.solve(turn, plane[:, 2])
    return View((float(x), float(y)), float(abs(z)))


def shading(plain: Array, both: Array) -> Array:
    """The ratio of the room's light to the flash's, as a logarithm, without its slow variation: (N, N).

    plain, both: linear RGB (N, N, 3) without and with the flash, as if exposed alike.
    """
    room, flash = (cv2.cvtColor(np.ascontiguousarray(it), cv2.COLOR_RGB2GRAY) for it in (plain, both - plain))
    least = _DARKEST * float(np.percentile(flash, 95))
    ratio = np.log(np.maximum(room, 0.003)) - np.log(np.maximum(flash, max(least, 1e-4)))
    scale = len(plain) / 1024
    ratio = cv2.GaussianBlur(ratio, (0, 0), _FINE * scale) - cv2.GaussianBlur(ratio, (0, 0), _WIDE * scale)
    limit = _LIMIT * float(ratio.std())
    return np.clip(ratio, -limit, limit)


def room_light(ratio: Array, flash: Array) -> tuple[Array, float]:
    """The room's light as tangents (x, y), and how well it explains the shading, 0 to 1.

    The shading's power is that of slopes towards the room's light minus the flash (`flash`, (N, N, 2)):
    c |a - f|², fitted over the tile's cells for each light a, where c is the power of the slopes.
    """
    power = cv2.resize(ratio * ratio, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).ravel()
    at = cv2.resize(flash, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).reshape(-1, 2)
    # Of each cell the ratio of found and expected power counts: one c for all of them.
    angle, length = np.meshgrid(np.arange(72) * np.pi / 36, np.linspace(_LEAST, _MOST, 24))
    lights = np.column_stack([(length * np.cos(angle)).ravel(), (length * np.sin(angle)).ravel()])
    expected = ((lights[:, None] - at) ** 2).sum(axis=2)  # (lights, cells)
    found = np.log(np.maximum(power, 1e-9))
    rest = (found - np.log(np.maximum(expected, 1e-4))).var(axis=1)
    best = int(rest.argmin())
    return lights[best], 1 - float(rest[best]) / max(float(found.var()), 1e-9)


def slopes(ratio: Array, view: View) -> Slopes:
    """What the shading `ratio` tells of the cloth's slopes."""
    flash = view.towards(len(ratio))
    light, explained = room_light(ratio, flash)
    length = float(np.hypot(*light))
    along = light / length
    # As if the flash came from straight above everywhere.
    reach = np.clip(length - flash @ along.astype(np.float32), _SHALLOW * length, None)
    trust = float(np.clip((explained - _DOUBTFUL) / (_CERTAIN - _DOUBTFUL), 0, 1))
    return Slopes(ratio / reach, (float(along[0]), float(along[1])), trust)


def integrated(slope: Array, along: tuple[float, float]) -> Array:
    """The height in pixels (N, N), wrapped, that falls by `slope` in the direction `along`; its mean is 0."""
    side = len(slope)
    down = np.fft.fftfreq(side).astype(np.float32)[:, None]
    across = np.fft.rfftfreq(side).astype(np.float32)[None]
    power = across**2 + down**2
    power[0, 0] = 1
    towards = across * np.float32(along[0]) + down * np.float32(along[1])
    spectrum = (
        fourier.rfft2(slope - slope.mean()) * (1j * towards) / (2 * np.pi * (towards**2 + _ACROSS * power))
    )
    return np.asarray(fourier.irfft2(spectrum, slope.shape), np.float32)
