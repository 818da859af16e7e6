"""The steps of a scan: ingest, rectify, find repeats, flatten the light, make seamless, relief, encode."""

from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np

from fabric import quality, relief
from fabric.encode import EncodedImage, encode, to_bytes
from fabric.errors import FabricError, is_out_of_memory, out_of_memory
from fabric.frame import OVERLAP, Frame, choose_frame, cut_out
from fabric.ingest import decode
from fabric.light import equalise, flatness, flatten, linear_to_srgb, srgb_to_linear
from fabric.material import FABRIC_CLASSES, mesh_physical_material
from fabric.options import ScanOptions
from fabric.rectify import Outline, find_outline, ordered, side_length, straighten
from fabric.repeat import Repeat, find_repeats
from fabric.seam import make_seamless, settle_border
from fabric.shrink import shrink

LIGHT_SIGMA = 0.08  # of the side
MOTIF_SIGMA = 0.55  # of a print's period: a smaller blur would remove the motif as light
MIN_SWATCH = 32  # pixels of the shorter side; less shows no weave
THUMBNAIL = 256


@dataclass(frozen=True)
class Scan:
    """The maps of one fabric, each (size, size) and seamless, and measurements.

    diffuse: base colour, sRGB. normal: tangent space, OpenGL convention (+Y up). roughness_map, ao,
    height: greyscale, linear. orm: R occlusion, G roughness, B metalness, as glTF packs them.
    roughness, metalness: the factors that multiply the maps.
    material: parameters of Three.js `MeshPhysicalMaterial`. quality: metrics, and `advice` as sentences.
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


@dataclass(frozen=True)
class Tile:
    """A seamless square of cloth, the input of the maps.

    albedo: (N, N, 3) float32 linear RGB. cut: (N, N) bool, the pixels along the seam.
    frame: the tile's position in the flat cloth. repeats: of that cloth, along x and y.
    width: of the flat cloth in the frame's pixels, before it was cropped to a square.
    outline: of the swatch; its corners are fractions of the upright photo's width and height.
    flatness: of its light before the correction.
    """

    albedo: np.ndarray
    cut: np.ndarray
    frame: Frame
    width: int
    repeats: tuple[Repeat | None, Repeat | None]
    outline: Outline | None
    photo: quality.PhotoQuality
    flatness: float


def scan(photo: bytes, options: ScanOptions = ScanOptions()) -> Scan:  # noqa: B008, frozen
    """The material of the cloth in a photo.

    photo: a JPEG, PNG, WebP, AVIF, TIFF or BMP file. Raises FabricError, also if memory is exhausted.
    """
    try:
        return _scan(photo, options)
    except (MemoryError, cv2.error) as error:
        raise (out_of_memory() if is_out_of_memory(error) else error) from error


def _scan(photo: bytes, options: ScanOptions) -> Scan:
    tile = make_tile(photo, options)
    cloth = FABRIC_CLASSES[options.fabric_class]
    height = relief.height_map(tile.albedo, cloth.slope, options.normal_strength)
    rough = relief.roughness_map(height, cloth.roughness, options.roughness_strength)
    factor = round(float(rough.max()), 4)  # Three.js multiplies map and factor
    diffuse = linear_to_srgb(tile.albedo)
    occlusion = to_bytes(relief.occlusion_map(height, options.ao_strength))
    rough_byte = to_bytes(rough / factor)
    maps = {
        "diffuse": diffuse,
        "normal": cv2.convertScaleAbs(relief.normal_map(height), alpha=127.5, beta=127.5),
        "roughness_map": rough_byte,
        "ao": occlusion,
        "height": to_bytes(_unit(height)),
        "orm": cv2.merge([occlusion, rough_byte, np.zeros_like(occlusion)]),
        "thumbnail": shrink(diffuse, THUMBNAIL, THUMBNAIL),
    }
    red, green, blue, _ = cv2.mean(tile.albedo)
    return Scan(
        **{role: encode(role, pixels, options.format) for role, pixels in maps.items()},
        roughness=factor,
        metalness=0.0,
        material=mesh_physical_material(cloth, (red, green, blue), factor),
        quality=_report(tile, diffuse, options),
    )


def make_tile(photo: bytes, options: ScanOptions) -> Tile:
    """All steps before the maps. Raises FabricError."""
    size = options.size
    cloth, outline = _flat_cloth(photo, options)
    width = cloth.shape[1]
    side = min(cloth.shape[:2])
    top, left = (cloth.shape[0] - side) // 2, (cloth.shape[1] - side) // 2
    square = cloth[top : top + side, left : left + side]
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    photo_quality = quality.judge(square, grey)
    repeats = find_repeats(grey)
    frame = choose_frame(grey, repeats)
    linear = srgb_to_linear(cut_out(square, frame, size))
    del cloth, square, grey  # as large as the photo; from here on only the tile counts
    periods = [repeat.period / side for repeat in repeats if repeat]
    sigma = max([LIGHT_SIGMA, *(MOTIF_SIGMA * period for period in periods)])
    uneven = flatness(linear)
    even = flatten(linear, sigma, options.light_strength)
    even = equalise(even, options.contrast_strength)
    albedo, cut = settle_border(*make_seamless(even, size))
    return Tile(albedo, cut, frame, width, repeats, outline, photo_quality, uneven)


def _flat_cloth(photo: bytes, options: ScanOptions) -> tuple[np.ndarray, Outline | None]:
    """The cloth seen from above, (H, W, 3) uint8, and its outline if the photo shows one.

    The outline's corners are fractions of the photo's width and height.
    """
    needed = int(options.size * (1 + OVERLAP))
    pixels = decode(photo, needed)
    height, width = pixels.shape[:2]
    if options.corners:
        outline: Outline | None = Outline(ordered(np.array(options.corners) * [width, height]), 1.0)
    else:
        outline = find_outline(pixels)
    if outline is None:
        return pixels, None
    corners = outline.corners
    wanted = options.size * (1 + OVERLAP) / min(side_length(corners))
    if wanted > 1.2:  # the swatch is a small part of the photo: read it again in full resolution
        del pixels
        pixels = decode(photo, int(min(height, width) * wanted))
        corners = corners * (pixels.shape[1] / width)
    flat = straighten(pixels, corners, int(needed * 1.5))
    if min(flat.shape[:2]) < MIN_SWATCH:
        if not options.corners:
            return decode(photo, needed), None
        raise FabricError(
            "INVALID_INPUT",
            f"the corners span only {flat.shape[1]}×{flat.shape[0]} pixels; choose a wider part of the "
            "photo, or move closer",
        )
    return flat, Outline(outline.corners / [width, height], outline.confidence)


def _report(tile: Tile, diffuse: np.ndarray, options: ScanOptions) -> dict[str, object]:
    """The `quality` of a scan, as plain values for JSON."""
    sides = [float(np.linalg.norm(v)) for v in (tile.frame.across, tile.frame.down)]
    counts = [round(side / repeat.period) for side, repeat in zip(sides, tile.repeats, strict=True) if repeat]
    share = sides[0] / tile.width
    tile_mm = options.physical_width_mm * share if options.physical_width_mm else None
    repeats = [
        {
            "period_px": round(options.size * repeat.period / side, 3),
            "period_mm": round(tile_mm * repeat.period / sides[0], 3) if tile_mm else None,
            "confidence": round(repeat.confidence, 3),
        }
        if repeat
        else None
        for side, repeat in zip(sides, tile.repeats, strict=True)
    ]
    advice = quality.advice(tile.photo, tile.flatness, counts, sides[0] / options.size)
    return {
        **{name: round(value, 4) for name, value in asdict(tile.photo).items()},
        "light_unevenness": round(tile.flatness, 4),
        "flatness": round(flatness(tile.albedo), 4),
        "wrap_ratio": round(quality.wrap_ratio(diffuse), 4),
        "repeat_x": repeats[0],
        "repeat_y": repeats[1],
        "rotation_degrees": round(tile.frame.rotation, 3) if any(tile.repeats) else 0.0,
        "outline": tile.outline.corners.round(4).tolist() if tile.outline else None,
        "outline_confidence": round(tile.outline.confidence, 3) if tile.outline else 0.0,
        "tile_width_mm": round(tile_mm, 2) if tile_mm else None,
        "advice": advice,
    }


def _unit(height: np.ndarray) -> np.ndarray:
    """`height` scaled to 0 (lowest) to 1 (highest); 0.5 everywhere if it is flat."""
    low, high = float(height.min()), float(height.max())
    return (height - low) / (high - low) if high > low else np.full_like(height, 0.5)
