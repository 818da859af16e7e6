"""Takes the light of a real photograph off its garment, so that it can be asked for back.

    P = A · S           within the cloth, linear; S the coarse light, of mean 1, A the cloth's own colour
    render = A          flat, as a client draws it
    camera = grey · S   another shirt in the same light, and around it the photograph as it is
    target = P

Light is linear, so the same person in other light is camera and target times a gain; the render stays. What
the photograph's own light was nobody knows, so its gains lie evenly around it.
"""

import cv2
import numpy as np

from benchmarks.photographs.portraits import Portrait
from benchmarks.photographs.scene import Scene, encoded
from pipeline.light.scene_light import to_code, to_linear

# By name: gains of red, green and blue.
LIGHTS = {
    "as it is": (1.0, 1.0, 1.0),
    "darker": (0.6, 0.6, 0.6),
    "brighter": (1.6, 1.6, 1.6),
    "warmer": (1.25, 1.0, 0.75),
    "colder": (0.8, 1.0, 1.3),
}
# S is what is coarser than this share of the picture's height.
_COARSE = 0.03
# Linear values below it are noise. Nor does light vary by more than this factor.
_FLOOR, _MOST = 0.002, 4.0
# Of the shirt beneath, linear.
_GREY = 0.2


def flattened(portrait: Portrait, light: str) -> Scene:
    """What a client would send of this portrait in one of LIGHTS, and the photograph that is wanted."""
    cloth = portrait.cloth
    photograph = to_linear(portrait.photograph.astype(np.float32) / 255)
    shading = coarse_light(photograph, cloth)[..., None]
    gain = np.array(LIGHTS[light][::-1], np.float32)
    # A little smaller than the cloth, so that no rim of the shirt shows through the render's soft edge.
    share = cv2.erode(cloth, np.ones((5, 5), np.uint8))[..., None].astype(np.float32) / 255
    beneath = photograph + share * (_GREY * shading - photograph)
    render = cv2.merge([*cv2.split(_developed(photograph / shading)), cloth])
    return Scene(
        f"{portrait.name}, {light}",
        encoded(".jpg", _developed(beneath * gain)),
        encoded(".png", render),
        portrait.landmarks,
        _developed(photograph * gain),
        cloth,
    )


def coarse_light(photograph: np.ndarray, cloth: np.ndarray) -> np.ndarray:
    """S, (H, W) float32. photograph: (H, W, 3) BGR, linear. cloth: (H, W) uint8."""
    weight = cloth.astype(np.float32) / 255 + np.float32(1e-4)
    brightness = photograph @ np.array([0.0722, 0.7152, 0.2126], np.float32)
    sigma = _COARSE * len(cloth)
    local = cv2.GaussianBlur(brightness * weight, (0, 0), sigma) / cv2.GaussianBlur(weight, (0, 0), sigma)
    mean = float((brightness * weight).sum() / weight.sum())
    light: np.ndarray = ((local + _FLOOR) / (mean + _FLOOR)).clip(1 / _MOST, _MOST)
    return light


def _developed(linear: np.ndarray) -> np.ndarray:
    return np.rint(255 * to_code(linear.astype(np.float32)).clip(0, 1)).astype(np.uint8)
