"""What a webcam makes of linear light: exposure, white balance, tone, blur, noise and JPEG."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from training.lucy_tiny.photography import to_linear, to_srgb

__all__ = ["Webcam", "sample_webcam", "to_linear", "to_srgb"]


@dataclass(frozen=True)
class Webcam:
    """exposure: gain on linear light. balance: gains of red, green, blue. shoulder: 0 for a hard clip at
    white, 1 for a soft one. contrast: exponent about middle grey. blur: sigma in pixels. noise: of the
    light's square root and of the dark, as shares of white. quality: of JPEG. scale: of the pictures' sides,
    over those of the camera's own."""

    exposure: float
    balance: tuple[float, float, float]
    shoulder: float
    contrast: float
    blur: float
    noise: tuple[float, float]
    quality: int
    seed: int
    scale: float = 1.0

    def as_meta(self) -> dict[str, Any]:
        return asdict(self)

    def picture(self, light: np.ndarray) -> np.ndarray:
        """Linear light (h, w, 3) → sRGB uint8, as before JPEG."""
        exposed = light * (self.exposure * np.asarray(self.balance, np.float32))
        soft = exposed / (1 + np.maximum(exposed - 0.6, 0) * 0.9)
        exposed = exposed + self.shoulder * (soft - exposed)
        if self.contrast != 1:
            exposed = 0.18 * (np.maximum(exposed, 0) / 0.18) ** self.contrast
        if self.blur * self.scale > 0.15:
            exposed = cv2.GaussianBlur(exposed, (0, 0), self.blur * self.scale)
        if max(self.noise) > 0:
            rng = np.random.default_rng(self.seed)
            bright, dark = (self.scale * it for it in self.noise)  # a mean of several of its pixels
            shot, read = rng.standard_normal((2, *exposed.shape), np.float32)
            exposed = exposed + bright * np.sqrt(np.maximum(exposed, 0)) * shot + 0.1 * dark * read
        return to_srgb(np.nan_to_num(exposed))

    def jpeg(self, picture: np.ndarray) -> np.ndarray:
        """A picture as decoded from this camera's JPEG."""
        if self.scale == 1:
            return encode_jpeg(picture, self.quality)
        height, width = picture.shape[:2]
        size = round(width / self.scale), round(height / self.scale)
        own = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        return cv2.resize(encode_jpeg(own, self.quality), (width, height), interpolation=cv2.INTER_AREA)


def encode_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    ok, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def sample_webcam(
    rng: np.random.Generator, light: np.ndarray, person: np.ndarray, incident: np.ndarray
) -> Webcam:
    """A camera that has set its exposure and balance on a scene's linear light (h, w, 3), not quite rightly.

    person: (h, w) coverage; automatic exposure looks at people more than at the rest.
    incident: RGB of the light that falls on the person; the balance is between it and the picture's mean.
    """
    height, width = person.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    attention = 0.25 + np.exp(-1.5 * (x**2 + y**2)) + rng.uniform(1.0, 4.0) * person
    # What it sees tells it most, but faces are recognised and exposed as faces: by the light on them.
    seen = _exposure(light.mean(axis=2), attention, 0.25)
    fair = 0.25 * np.pi / (0.3 * float(incident.mean()) + 1e-6)
    share = rng.uniform(0.35, 0.75)
    exposure = float(seen**share * fair ** (1 - share) * np.exp(rng.normal(0, 0.2)))
    metered = np.minimum(light * exposure, 1)
    grey = (metered * attention[..., None]).reshape(-1, 3).mean(axis=0) + 1e-5
    balance = np.exp(rng.normal(0, 0.035, 3))
    share = rng.uniform(0, 0.5)
    for colour, part in ((grey, share * 0.7), (incident + 1e-6, 1 - share)):
        balance *= (colour.mean() / colour) ** (part * rng.uniform(0.3, 1.0))
    cast = np.clip(balance / balance[1], 0.4, 2.5)
    return Webcam(
        exposure=exposure,
        balance=(float(cast[0]), float(cast[1]), float(cast[2])),
        shoulder=float(rng.uniform(0, 1)),
        contrast=float(rng.uniform(0.92, 1.2)),
        blur=float(rng.uniform(0.2, 0.8)),
        noise=(float(rng.uniform(0.003, 0.02)), float(rng.uniform(0.003, 0.02))),
        quality=int(rng.integers(70, 96)),
        seed=int(rng.integers(2**31)),
    )


def _exposure(light: np.ndarray, attention: np.ndarray, wanted: float) -> float:
    """The gain at which the picture, clipped at white, has a mean level."""
    weights = attention / attention.sum()
    low, high = -12.0, 12.0
    for _ in range(18):
        middle = 0.5 * (low + high)
        if float((np.minimum(light * 2.0**middle, 1) * weights).sum()) < wanted:
            low = middle
        else:
            high = middle
    return float(2.0**low)
