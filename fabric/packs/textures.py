"""The maps of a pack, as other programs want them: factors multiplied in, and further maps made of these.

Suffixes are Poly Haven's: `diff`, `nor_gl`, `nor_dx`, `rough`, `ao`, `disp`, `arm` (occlusion, roughness and
metalness in red, green and blue), and `opacity`.
"""

from functools import cached_property

import cv2
import numpy as np

from fabric.encode import EncodedImage, encode
from fabric.errors import FabricError
from fabric.packs.packed import PackedFabric

_PASSED_ON = ("image/jpeg", "image/png")  # every program reads them; WebP becomes PNG
_STEEPEST = 0.15  # least z of a normal: what a JPEG has made of a steep one must not become a cliff
_SMALLEST_WAVES = 2  # periods in a tile: what is longer is a JPEG's rounding, added up over the tile


class Textures:
    """Raises FabricError IMAGE_DECODE for a map that is no picture."""

    def __init__(self, fabric: PackedFabric) -> None:
        self._fabric = fabric
        self._format = "png" if fabric.maps["normal"].media_type == "image/png" else "jpeg"

    @cached_property
    def size(self) -> int:
        """The side of the base colour's map in pixels."""
        return int(max(self._pixels("diffuse", cv2.IMREAD_COLOR).shape[:2]))

    @cached_property
    def diff(self) -> EncodedImage:
        return self._file("diffuse")

    @cached_property
    def diff_alpha(self) -> EncodedImage:
        """The base colour with the opacity as its alpha; without holes, the base colour."""
        if "alpha" not in self._fabric.maps:
            return self.diff
        colour = self._pixels("diffuse", cv2.IMREAD_COLOR)
        alpha = self._fitted("alpha", colour.shape[:2])
        return _png(np.dstack([colour, alpha]))

    @cached_property
    def opacity(self) -> EncodedImage | None:
        return self._file("alpha") if "alpha" in self._fabric.maps else None

    @cached_property
    def nor_gl(self) -> EncodedImage:
        return self._file("normal")

    @cached_property
    def nor_dx(self) -> EncodedImage:
        """Green points down the picture, as DirectX, Unreal and Substance expect."""
        normal = self._pixels("normal", cv2.IMREAD_COLOR).copy()
        normal[..., 1] = 255 - normal[..., 1]
        return self._encoded("normal", normal[..., ::-1])

    @cached_property
    def rough(self) -> EncodedImage:
        return self._encoded("roughness_map", self._rough)

    @cached_property
    def ao(self) -> EncodedImage:
        return self._file("ao") if "ao" in self._fabric.maps else self._encoded("ao", self._occlusion)

    @cached_property
    def arm(self) -> EncodedImage:
        metal = np.full_like(self._rough, round(255 * self._fabric.metalness))
        return self._encoded("orm", cv2.merge([self._occlusion, self._rough, metal]))

    @cached_property
    def disp(self) -> EncodedImage:
        """The height, 16 bits: black is the lowest point, white is `relief_mm` above it."""
        height = self._height
        low, high = float(height.min()), float(height.max())
        unit = (height - low) / (high - low) if high > low else np.full_like(height, 0.5)
        return _png(np.rint(unit * 65535).astype(np.uint16))

    @property
    def relief_mm(self) -> float:
        """From the lowest to the highest point of the cloth."""
        height = self._height
        return float(np.ptp(height)) * 1000 * self._fabric.tile_m[0] / height.shape[1]

    @cached_property
    def _rough(self) -> np.ndarray:
        factor = self._fabric.roughness
        return cv2.convertScaleAbs(self._pixels("roughness_map", cv2.IMREAD_GRAYSCALE), alpha=factor)

    @cached_property
    def _occlusion(self) -> np.ndarray:
        if "ao" not in self._fabric.maps:
            return np.full_like(self._rough, 255)
        return self._fitted("ao", self._rough.shape)

    @cached_property
    def _height(self) -> np.ndarray:
        """(H, W) float32 in pixels, of the normals: a relief that fits them whatever the catalog has kept."""
        return height_of(self._pixels("normal", cv2.IMREAD_COLOR)[..., ::-1])

    def _file(self, role: str) -> EncodedImage:
        """A map as it is; PNG where a program may not read its format."""
        image = self._fabric.maps[role]
        return image if image.media_type in _PASSED_ON else _png(self._pixels(role, cv2.IMREAD_UNCHANGED))

    def _encoded(self, role: str, pixels: np.ndarray) -> EncodedImage:
        return encode(role, np.ascontiguousarray(pixels), self._format)  # type: ignore[arg-type]

    def _fitted(self, role: str, shape: tuple[int, ...]) -> np.ndarray:
        """A grey map with the size of another one."""
        pixels = self._pixels(role, cv2.IMREAD_GRAYSCALE)
        if pixels.shape == shape[:2]:
            return pixels
        return cv2.resize(pixels, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)

    def _pixels(self, role: str, flags: int) -> np.ndarray:
        data = np.frombuffer(self._fabric.maps[role].data, np.uint8)
        pixels = cv2.imdecode(data, flags) if data.size else None
        if pixels is None:
            raise FabricError("IMAGE_DECODE", f"the fabric's map {role} is damaged")
        return pixels


def height_of(normal: np.ndarray) -> np.ndarray:
    """The periodic height whose slopes are nearest to those of a normal map, uint8 RGB, +Y up.

    Frankot & Chellappa, "A Method for Enforcing Integrability in Shape from Shading Algorithms" (1988): in
    the frequencies (u, v), H = -i (u P + v Q) / (u² + v²), where P and Q are the slopes to right and down.
    """
    vector = normal.astype(np.float32) / 127.5 - 1
    steep = np.maximum(vector[..., 2], _STEEPEST)
    p, q = np.fft.rfft2(-vector[..., 0] / steep), np.fft.rfft2(vector[..., 1] / steep)
    rows, columns = normal.shape[:2]
    v = np.fft.fftfreq(rows)[:, None]
    u = np.fft.rfftfreq(columns)[None]
    square = u * u + v * v
    long = np.hypot(u * columns, v * rows) < _SMALLEST_WAVES
    square[0, 0] = 1
    height = np.where(long, 0, -1j * (u * p + v * q) / (2 * np.pi * square))
    found: np.ndarray = np.fft.irfft2(height, (rows, columns)).astype(np.float32)
    return found


def _png(pixels: np.ndarray) -> EncodedImage:
    """Of BGR or grey, as OpenCV has them."""
    settings = [cv2.IMWRITE_PNG_COMPRESSION, 4]
    return EncodedImage(cv2.imencode(".png", pixels, settings)[1].tobytes(), "image/png")
