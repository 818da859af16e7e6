"""The fabric scan that ours replaces, reimplemented from its description, for comparison.

Its steps: a perspective correction that changes nothing, CLAHE 2.0 on 8×8 tiles, a centred crop to
1024², blended borders, a Sobel normal map, roughness from local detail, base64 PNG. The plain loops are
part of what is compared.
"""

import base64

import cv2
import numpy as np

SIZE = 1024
BLEND = 64


def scan(photo: bytes) -> dict[str, str]:
    """Maps as PNG data URIs: diffuse, normal, roughness."""
    image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    maps = make_maps(correct_perspective(image))
    return {name: to_data_uri(pixels) for name, pixels in maps.items()}


def make_maps(image: np.ndarray) -> dict[str, np.ndarray]:
    """The steps between decoding and encoding, BGR uint8."""
    tile = make_tileable(crop(normalise_light(image)))
    grey = cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY)
    return {"diffuse": tile, "normal": normal_map(grey), "roughness": roughness_map(grey)}


def correct_perspective(image: np.ndarray) -> np.ndarray:
    """Finds edges, but then returns the photo unchanged, as the original does."""
    cv2.Canny(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 50, 150)
    return image


def normalise_light(image: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lightness, a, b = cv2.split(lab)
    lightness = cv2.createCLAHE(2.0, (8, 8)).apply(lightness)
    return cv2.cvtColor(cv2.merge([lightness, a, b]), cv2.COLOR_LAB2BGR)


def crop(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(
        image[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_LANCZOS4
    )


def make_tileable(image: np.ndarray) -> np.ndarray:
    """Blends each border into the opposite one, line by line."""
    result = image.astype(np.float32)
    for i in range(BLEND):
        alpha = i / BLEND
        result[:, i] = alpha * result[:, i] + (1 - alpha) * result[:, SIZE - BLEND + i]
        result[i, :] = alpha * result[i, :] + (1 - alpha) * result[SIZE - BLEND + i, :]
    return result.astype(np.uint8)


def normal_map(grey: np.ndarray, strength: float = 2.0) -> np.ndarray:
    """Sobel slopes of the brightness, pixel by pixel, as RGB in BGR order."""
    value = grey.astype(np.float32) / 255
    dx = cv2.Sobel(value, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(value, cv2.CV_32F, 0, 1, ksize=3)
    normal = np.zeros((*grey.shape, 3), np.float32)
    for y in range(SIZE):
        for x in range(SIZE):
            nx, ny = -dx[y, x] * strength, -dy[y, x] * strength
            length = (nx * nx + ny * ny + 1) ** 0.5
            normal[y, x] = (1 / length, ny / length, nx / length)
    return ((normal * 0.5 + 0.5) * 255).astype(np.uint8)


def roughness_map(grey: np.ndarray) -> np.ndarray:
    """Normalised local deviation of the brightness: a busy pattern counts as rough."""
    value = grey.astype(np.float32)
    mean = cv2.blur(value, (5, 5))
    deviation = np.sqrt(np.maximum(cv2.blur(value * value, (5, 5)) - mean * mean, 0))
    return (128 + 127 * deviation / max(float(deviation.max()), 1e-6)).astype(np.uint8)


def to_data_uri(pixels: np.ndarray) -> str:
    data = cv2.imencode(".png", pixels)[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
