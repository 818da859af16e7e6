"""Lights a G-buffer, and takes its picture with a simulated camera."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from training.lucy_tiny.captions import LEVELS, light_phrase
from training.lucy_tiny.gbuffer import GBuffer

# Cloth and skin are lit a little beyond the edge of their own shadow.
_WRAP = 0.12
# Limits between the caption's levels, as the exposed light on a surface that faces the camera.
_LEVELS = (0.85, 1.1, 1.4, 1.82)


@lru_cache
def _decoding() -> np.ndarray:
    code = np.arange(256) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


@lru_cache
def _encoding() -> np.ndarray:
    linear = np.arange(4096) / 4095
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * code).astype(np.uint8)


def to_linear(picture: np.ndarray) -> np.ndarray:
    """sRGB uint8 → linear float32, 0 to 1 (IEC 61966-2-1)."""
    return _decoding()[picture]


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear float → sRGB uint8; clipped to 0 to 1."""
    return _encoding()[(linear.clip(0, 1) * 4095 + 0.5).astype(np.uint16)]


@dataclass(frozen=True)
class Light:
    """A scene's light.

    towards: (3,) unit vector to the key light: x right, y down, z to the viewer.
    key, ambient: strengths; softness: of the shadows' edges, in shoulder widths.
    tint: linear RGB of the key light; sky, ground: of the light from above and below.
    balance: RGB gains that remain after the camera's white balance.
    words: its tint, hardness and direction as in a caption.
    """

    towards: np.ndarray
    key: float
    ambient: float
    softness: float
    tint: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    balance: np.ndarray
    words: tuple[str, str, str]

    def phrase(self, exposure: float) -> str:
        """The caption's words for the light in a picture with this exposure gain."""
        facing = (float(self.towards[2]) + _WRAP) / (1 + _WRAP)
        level = np.searchsorted(_LEVELS, exposure * (self.key * facing + self.ambient))
        return light_phrase(*self.words, LEVELS[level])


def sample_light(rng: np.random.Generator, harsh: float = 1.0) -> Light:
    """A random light for training; with `harsh` above 1, stronger and more tinted than in training."""
    tints = {"warm": (1.0, 0.76, 0.5), "neutral": (1.0, 0.97, 0.93), "cool": (0.72, 0.88, 1.0)}
    tint_word = str(rng.choice(list(tints)))
    tint = np.array(tints[tint_word]) ** (rng.uniform(0.6, 1.2) * harsh)
    hardness, direction = (
        str(rng.choice(["soft", "hard"])),
        str(rng.choice(["left", "right", "above", "front"])),
    )
    across = {"left": -1, "right": 1}.get(direction, 0) * rng.uniform(0.7, 1.6) + rng.normal(0, 0.12)
    above = {"above": 1.5, "front": 0.3}.get(direction, 0.55) * rng.uniform(0.7, 1.3)
    towards = np.array([across, -above, rng.uniform(0.6, 1.1)])
    exposure = rng.uniform(0.5, 1.5)
    contrast = (0.62 if hardness == "soft" else 0.82) * rng.uniform(0.85, 1.1)
    other = tint[::-1] ** rng.uniform(0, 0.4)
    return Light(
        towards=(towards / np.linalg.norm(towards)).astype(np.float32),
        key=1.5 * exposure * contrast,
        ambient=exposure * (1 - contrast) * rng.uniform(0.9, 1.2),
        softness=0.11 if hardness == "soft" else 0.025,
        tint=tint.astype(np.float32),
        sky=(1.1 * other * rng.uniform(0.9, 1.1, 3)).astype(np.float32),
        ground=(0.9 * tint * rng.uniform(0.8, 1.1, 3)).astype(np.float32),
        balance=(tint ** rng.uniform(0, 0.3)).astype(np.float32),
        words=(tint_word, hardness, direction),
    )


def cast_shadow(height: np.ndarray, light: Light, unit: float) -> np.ndarray:
    """The share of the key light that reaches each pixel, (H, W) 0 to 1: 0 where something nearer to the
    light is higher than the ray. height: (H, W) pixels; unit: the shoulder width in pixels."""
    scale = min(1.0, 128 / max(height.shape))
    size = (max(2, round(height.shape[1] * scale)), max(2, round(height.shape[0] * scale)))
    small = cv2.resize(height, size, interpolation=cv2.INTER_AREA) * scale
    run = np.hypot(light.towards[0], light.towards[1])
    rise = light.towards[2] / max(float(run), 0.05)
    highest = np.full_like(small, -1e9)
    step = 0.05 * unit * scale
    for i in range(1, 15):
        distance = step * i * (1 + 0.06 * i)
        dx, dy = light.towards[:2] / max(float(run), 0.05) * distance
        matrix = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
        shifted = cv2.warpAffine(small, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        np.maximum(highest, shifted - rise * distance, out=highest)
    hidden = np.clip((highest - small) / (0.04 * unit * scale) - 0.3, 0, 1)
    hidden = cv2.GaussianBlur(hidden, (0, 0), max(0.6, light.softness * unit * scale))
    return 1 - cv2.resize(hidden, height.shape[::-1], interpolation=cv2.INTER_LINEAR)


def occlusion(height: np.ndarray, unit: float) -> np.ndarray:
    """The share of the ambient light that reaches each pixel, (H, W) 0 to 1: less where the neighbourhood is
    higher."""
    size = (max(2, height.shape[1] // 2), max(2, height.shape[0] // 2))
    small = cv2.resize(height, size, interpolation=cv2.INTER_AREA)
    open_sky = np.ones_like(small)
    for radius, depth in ((0.035, 0.10), (0.12, 0.30)):
        around = cv2.blur(small, (2 * max(1, round(radius * unit / 2)) + 1,) * 2)
        open_sky *= 1 - 0.5 * np.clip((around - small) / (depth * unit), 0, 1)
    return cv2.resize(open_sky, height.shape[::-1], interpolation=cv2.INTER_LINEAR)


def shade(buffer: GBuffer, light: Light, unit: float) -> np.ndarray:
    """The light that the G-buffer reflects, linear RGB (H, W, 3). unit: the shoulder width in pixels."""
    normal, height = buffer.normal, buffer.height
    sunlit = cast_shadow(height, light, unit)
    facing = np.clip((np.tensordot(light.towards, normal, 1) + _WRAP) / (1 + _WRAP), 0, None)
    key = light.key * sunlit * facing
    up = 0.5 - 0.5 * normal[1]
    ambient = light.ambient * occlusion(height, unit)
    above, below = ambient * up, ambient * (1 - up)

    # Blinn-Phong highlights; the eye looks along −z.
    specular, gloss, sheen = buffer.material
    half = light.towards + np.array([0, 0, 1], np.float32)
    cosine = np.clip(np.tensordot(half / np.linalg.norm(half), normal, 1), 0, 1)
    spot = specular * np.exp(gloss * (cosine - 1)) * sunlit * light.key
    grazing = sheen * (1 - normal[2]) ** 2 * (0.3 * light.ambient + 0.5 * key)
    radiance = np.empty((*height.shape, 3), np.float32)
    for channel, albedo in enumerate(buffer.albedo):
        irradiance = light.tint[channel] * key + light.sky[channel] * above + light.ground[channel] * below
        radiance[..., channel] = (
            albedo * (irradiance + 0.5 * grazing) + light.tint[channel] * spot + 0.06 * grazing
        )
    return radiance


@dataclass(frozen=True)
class Camera:
    """A webcam: blur (pixels), noise (grey levels), JPEG quality, and the seed of its noise."""

    blur: float
    noise: float
    quality: int
    seed: int

    def develop(self, radiance: np.ndarray, balance: np.ndarray) -> np.ndarray:
        """Linear RGB (H, W, 3) → the picture as decoded from the camera's JPEG, sRGB uint8."""
        exposed = radiance * balance
        exposed = exposed * (1 + exposed * 0.15) / (1 + 0.55 * exposed * exposed)  # a shoulder before white
        if self.blur > 0.2:
            exposed = cv2.GaussianBlur(exposed, (0, 0), self.blur)
        picture = to_srgb(exposed)
        rng = np.random.default_rng(self.seed)
        grain = rng.integers(0, 2**16, (*picture.shape[:2], 3), dtype=np.uint16).astype(np.float32)
        grain = cv2.GaussianBlur((grain / 2**16 - 0.5) * (3.46 * 1.8 * self.noise), (0, 0), 0.6)
        noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
        ok, data = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        assert ok
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def automatic_exposure(radiance: np.ndarray) -> float:
    """The gain that a webcam chooses for linear RGB (H, W, 3): most of the way to a middle grey."""
    return float(np.clip((0.27 / max(float(radiance.mean()), 1e-3)) ** 0.75, 0.4, 3.0))


def sample_camera(rng: np.random.Generator) -> Camera:
    return Camera(
        rng.uniform(0.2, 0.9), rng.uniform(0.5, 2.5), int(rng.integers(70, 97)), int(rng.integers(2**31))
    )
