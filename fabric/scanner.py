"""The way of a photo: ingest, rectify, flatten, repeat, seamless, maps, encode."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import cv2
import numpy as np

from fabric.ingest import decode
from fabric.material import FABRIC_CLASSES, mesh_physical_material
from fabric.options import ScanOptions


class EncodedImage(NamedTuple):
    """Compressed bytes and what they are."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class Scan:
    """The maps of one fabric, each (size, size) and seamless, and what was measured on the way.

    diffuse: base colour, sRGB. normal: tangent space, OpenGL convention (+Y up). roughness_map, ao,
    height: greyscale, linear. orm: R occlusion, G roughness, B metalness, as glTF packs them.
    roughness, metalness: the factors that multiply the maps.
    material: parameters of Three.js `MeshPhysicalMaterial`. quality: metrics, and `advice` in words.
    """

    diffuse: EncodedImage
    normal: EncodedImage
    roughness_map: EncodedImage
    ao: EncodedImage
    height: EncodedImage
    orm: EncodedImage
    thumbnail: EncodedImage
    roughness: float
    metalness: float
    material: dict[str, object]
    quality: dict[str, object]

    @property
    def maps(self) -> dict[str, EncodedImage]:
        """The encoded maps by name."""
        return {
            field.name: value
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), EncodedImage)
        }


def scan(photo: bytes, options: ScanOptions = ScanOptions()) -> Scan:  # noqa: B008, frozen
    """The material in a photo of cloth.

    photo: a JPEG, PNG, WebP, AVIF, TIFF or BMP file. Raises FabricError.
    """
    cloth = FABRIC_CLASSES[options.fabric_class]
    size = options.size
    pixels = decode(photo, size)
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    tile = cv2.resize(
        pixels[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA
    )
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    normal = np.dstack([-dx, dy, np.ones_like(dx)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    rough = np.full((size, size), round(cloth.roughness * 255), np.uint8)
    white = np.full((size, size), 255, np.uint8)

    def jpeg(rgb: np.ndarray) -> EncodedImage:
        bgr = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        return EncodedImage(cv2.imencode(".jpg", bgr)[1].tobytes(), "image/jpeg")

    return Scan(
        diffuse=jpeg(tile),
        normal=jpeg(((normal * 0.5 + 0.5) * 255).round().astype(np.uint8)),
        roughness_map=jpeg(white),
        ao=jpeg(white),
        height=jpeg((grey * 255).astype(np.uint8)),
        orm=jpeg(np.dstack([white, rough, np.zeros_like(white)])),
        thumbnail=jpeg(cv2.resize(tile, (256, 256), interpolation=cv2.INTER_AREA)),
        roughness=cloth.roughness,
        metalness=0.0,
        material=mesh_physical_material(cloth, (0.5, 0.5, 0.5), cloth.roughness),
        quality={"advice": []},
    )
