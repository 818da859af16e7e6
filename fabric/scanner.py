"""The steps of a scan: ingest, rectify, find repeats, flatten the light, make seamless, relief, encode."""

from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np

from fabric import quality, relief
from fabric.encode import EncodedImage, encode, to_bytes
from fabric.errors import FabricError, is_out_of_memory, out_of_memory
from fabric.frame import OVERLAP, Frame, choose_frame, cut_out
from fabric.holes import separated
from fabric.ingest import decode
from fabric.light import equalise, flatness, flatten, linear_to_srgb, srgb_to_linear
from fabric.material import FABRIC_CLASSES, mesh_physical_material
from fabric.options import ScanOptions
from fabric.rectify import Outline, find_outline, ordered, side_length, straighten
from fabric.region import Region, find_region, is_card
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
    alpha: opacity, greyscale, linear; None for cloth without holes.
    roughness, metalness: the factors that multiply the maps.
    tile_aspect: the tile's width by its height on the cloth, 1 if it is square.
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
    tile_aspect: float
    material: dict[str, object]
    quality: dict[str, object]
    alpha: EncodedImage | None = None

    @property
    def detail(self) -> str | None:
        """How to get a better result, in one text; None where nothing is to be said."""
        advice: list[str] = self.quality["advice"]  # type: ignore[assignment]
        return "; ".join(advice) or None

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

    albedo: (N, N, 3) float32 linear RGB. opacity: (N, N) float32, 0 to 1, None without holes.
    cut: (N, N) bool, the pixels along the seam.
    frame: the tile's position in the flat cloth. repeats: of that cloth, along x and y.
    width: of the flat cloth in the frame's pixels, before it was cropped to a square.
    covered: something lies on the cloth.
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
    opacity: np.ndarray | None = None
    covered: bool = False


def scan(photo: bytes, options: ScanOptions = ScanOptions()) -> Scan:  # noqa: B008, frozen
    """The material of the cloth in a photo.

    photo: a JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP file. Raises FabricError, also if memory is exhausted.
    """
    try:
        return _scan(photo, options)
    except (MemoryError, cv2.error) as error:
        raise (out_of_memory() if is_out_of_memory(error) else error) from error


def _scan(photo: bytes, options: ScanOptions) -> Scan:
    tile = make_tile(photo, options)
    cloth = FABRIC_CLASSES[options.fabric_class]
    height = relief.height_map(tile.albedo, cloth.slope * tile.photo.relief, options.normal_strength)
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
    opacity = None
    if tile.opacity is not None:
        opacity = maps["alpha"] = to_bytes(tile.opacity)
    red, green, blue, _ = cv2.mean(tile.albedo)
    return Scan(
        **{role: encode(role, pixels, options.format) for role, pixels in maps.items()},
        roughness=factor,
        metalness=0.0,
        tile_aspect=round(tile.frame.aspect, 4),
        material=mesh_physical_material(cloth, (red, green, blue), factor, tile.frame.aspect, opacity),
        quality=_report(tile, diffuse, options),
    )


def make_tile(photo: bytes, options: ScanOptions) -> Tile:
    """All steps before the maps. Raises FabricError."""
    size = options.size
    cloth, outline = _flat_cloth(photo, options)
    colour, region = cloth.colour, cloth.region
    width = colour.shape[1]
    square = region.of(colour)
    opacity = None if cloth.opacity is None else region.of(cloth.opacity)
    if opacity is not None and opacity.min() == 255:
        opacity = None
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    photo_quality = quality.judge(square, grey)
    texture = grey if opacity is None else opacity  # a net's threads are all of one colour
    repeats = find_repeats(texture) if opacity is not None or photo_quality.relief else (None, None)
    frame = choose_frame(texture, repeats)
    linear = srgb_to_linear(cut_out(square, frame, size))
    cut_opacity = None if opacity is None else cut_out(opacity, frame, size)
    side = region.side
    del (
        cloth,
        colour,
        square,
        grey,
        texture,
        opacity,
    )  # as large as the photo; from here on only the tile counts
    periods = [repeat.period / side for repeat in repeats if repeat]
    sigma = max([LIGHT_SIGMA, *(MOTIF_SIGMA * period for period in periods)])
    uneven = flatness(linear)
    even = flatten(linear, sigma, options.light_strength)
    even = equalise(even, options.contrast_strength)
    if cut_opacity is not None:
        even = np.dstack([even, cut_opacity.astype(np.float32) / 255])
    tile, cut = settle_border(*make_seamless(even, size))
    tile_opacity = None if cut_opacity is None else np.clip(tile[..., 3], 0, 1)
    albedo = np.ascontiguousarray(tile[..., :3])
    return Tile(
        albedo, cut, frame, width, repeats, outline, photo_quality, uneven, tile_opacity, region.covered
    )


@dataclass(frozen=True)
class _Cloth:
    """The cloth seen from above: colour (H, W, 3) and opacity (H, W) uint8, and where it is only cloth."""

    colour: np.ndarray
    opacity: np.ndarray | None
    region: Region


def _flat_cloth(photo: bytes, options: ScanOptions) -> tuple[_Cloth, Outline | None]:
    """The cloth seen from above, and its outline if the photo shows one.

    The outline's corners are fractions of the photo's width and height.
    """
    needed = int(options.size * (1 + OVERLAP))
    pixels = decode(photo, needed)
    height, width = pixels.shape[:2]
    outline = _outline(pixels, options)
    if outline is None:
        return _whole_cloth(photo, pixels, needed), None
    corners = outline.corners
    wanted = options.size * (1 + OVERLAP) / min(side_length(corners))
    if wanted > 1.2:  # the swatch is a small part of the photo: read it again in full resolution
        del pixels
        pixels = decode(photo, int(min(height, width) * wanted))
        corners = corners * (pixels.shape[1] / width)
    flat = straighten(pixels, corners, int(needed * 1.5))
    if min(flat.shape[:2]) < MIN_SWATCH:
        if not options.corners:
            return _whole_cloth(photo, decode(photo, needed), needed), None
        raise FabricError(
            "INVALID_INPUT",
            f"the corners span only {flat.shape[1]}×{flat.shape[0]} pixels; choose a wider part of the "
            "photo, or move closer",
        )
    colour, opacity = separated(flat)
    region = find_region(colour, opacity)
    return _Cloth(colour, opacity, region), Outline(outline.corners / [width, height], outline.confidence)


def _outline(pixels: np.ndarray, options: ScanOptions) -> Outline | None:
    height, width = pixels.shape[:2]
    if options.corners:
        return Outline(ordered(np.array(options.corners) * [width, height]), 1.0)
    if pixels.shape[2] == 4:  # holes look like edges; what was cut out needs no outline
        colour, opacity = separated(pixels)
        return None if opacity is not None else find_outline(colour)
    outline = find_outline(pixels)
    return None if outline and is_card(pixels, outline.corners) else outline


def _whole_cloth(photo: bytes, pixels: np.ndarray, needed: int) -> _Cloth:
    """The cloth of a photo without an outline, read again in more detail if only a part of it is usable."""
    colour, opacity = separated(pixels)
    region = find_region(colour, opacity)
    shorter = min(pixels.shape[:2])
    if region.side < min(needed, 0.95 * shorter):
        larger = decode(photo, int(shorter * needed / region.side))
        scale = larger.shape[0] / pixels.shape[0]
        if scale > 1.2:
            side = min(int(region.side * scale), *larger.shape[:2])
            region = Region(int(region.top * scale), int(region.left * scale), side, region.covered)
            colour, opacity = separated(larger)
    return _Cloth(colour, opacity, region)


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
    advice = quality.advice(tile.photo, tile.flatness, counts, sides[0] / options.size, tile.covered)
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
        "tile_aspect": round(tile.frame.aspect, 4),
        "advice": advice,
    }


def _unit(height: np.ndarray) -> np.ndarray:
    """`height` scaled to 0 (lowest) to 1 (highest); 0.5 everywhere if it is flat."""
    low, high = float(height.min()), float(height.max())
    return (height - low) / (high - low) if high > low else np.full_like(height, 0.5)
