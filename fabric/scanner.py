"""The steps of a scan: ingest, rectify, find repeats, flatten the light, make seamless, relief, encode."""

from dataclasses import asdict, dataclass, fields, replace

import cv2
import numpy as np

from fabric import quality, relief
from fabric.calm import calmed
from fabric.drape import DRAPES
from fabric.encode import EncodedImage, encode, to_bytes, unit
from fabric.errors import is_out_of_memory, out_of_memory
from fabric.even import evened
from fabric.fibres import fibre_direction
from fabric.flash import Window, flash_pair
from fabric.flash_relief import integrated
from fabric.flat import flat_cloth
from fabric.frame import OVERLAP, choose_frame, cut_out, longest_side, tile_matrix
from fabric.highlight import roughness_below
from fabric.hue import exact_hue
from fabric.large_repeat import find_large_repeats
from fabric.light import flatness, linear_to_srgb, srgb_to_linear, well_lit
from fabric.material import FABRIC_CLASSES, mesh_physical_material
from fabric.options import ScanOptions
from fabric.repeat import find_repeats
from fabric.seam import make_seamless, misfit, settle_border
from fabric.shrink import halved, shrink
from fabric.tile import Tile, repeat_counts
from fabric.white import balanced

LIGHT_SIGMA = 0.08  # of the side
MOTIF_SIGMA = 0.55  # of a print's period: a smaller blur would remove the motif as light
THUMBNAIL = 256
UNPAIRED = (
    "the photo with the flash was not used: take both from one place, straight above the cloth, and send the "
    "files as the camera wrote them"
)
PIXEL_CENTRES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # a picture's border is at 0


@dataclass(frozen=True)
class Scan:
    """The maps of one fabric, each (size, size) and seamless, and measurements.

    diffuse: base colour, sRGB. normal: tangent space, OpenGL convention (+Y up). roughness_map, ao,
    height: greyscale, linear. orm: R occlusion, G roughness, B metalness, as glTF packs them.
    alpha: opacity, greyscale, linear; None for cloth without holes.
    roughness, metalness: the factors that multiply the maps.
    tile_aspect: the tile's width by its height on the cloth, 1 if it is square. repeat_mm: the tile's width
    and height, None if the photo's scale is unknown. drape: values for its simulation, and `drape_ranges`.
    material: parameters of Three.js `MeshPhysicalMaterial`. quality: metrics, and `advice` as sentences.
    """

    diffuse: EncodedImage
    normal: EncodedImage
    roughness_map: EncodedImage
    ao: EncodedImage
    height: EncodedImage
    orm: EncodedImage
    thumbnail: EncodedImage
    fabric_class: str
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
    def repeat_mm(self) -> list[float] | None:
        width: float | None = self.quality["tile_width_mm"]  # type: ignore[assignment]
        return None if width is None else [width, round(width / self.tile_aspect, 2)]

    @property
    def drape(self) -> dict[str, float]:
        return DRAPES[self.fabric_class].values

    @property
    def drape_ranges(self) -> dict[str, list[float]]:
        return DRAPES[self.fabric_class].ranges

    @property
    def maps(self) -> dict[str, EncodedImage]:
        """The encoded maps by name."""
        return {
            field.name: value
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), EncodedImage)
        }


def scan(
    photo: bytes,
    options: ScanOptions = ScanOptions(),  # noqa: B008, frozen
    flash: bytes | None = None,
) -> Scan:
    """The material of the cloth in a photo.

    photo: a JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP file. flash: the same cloth with the phone's flash, from
    nearly the same place: its relief and colour become more exact. Raises FabricError, also if memory is
    exhausted.
    """
    try:
        return make_maps(make_tile(photo, options, flash), options)
    except (MemoryError, cv2.error) as error:
        raise (out_of_memory() if is_out_of_memory(error) else error) from error


def make_maps(tile: Tile, options: ScanOptions) -> Scan:
    """The maps of a tile, encoded, and what is reported with them."""
    cloth = FABRIC_CLASSES[options.fabric_class]
    strength = options.normal_strength * tile.photo.relief
    height = relief.estimated_height(tile.albedo, cloth.slope, cloth.darkness, strength)
    if tile.slopes is not None:
        seen = integrated(tile.slopes.towards, tile.slopes.along) * options.normal_strength
        height += tile.slopes.trust * (seen - height)
    measured = None if tile.lobe is None else roughness_below(tile.lobe, height)
    rough = relief.roughness_map(height, measured or cloth.roughness, options.roughness_strength)
    factor = round(float(rough.max()), 4)  # Three.js multiplies map and factor
    diffuse = linear_to_srgb(tile.albedo)
    occlusion = to_bytes(relief.occlusion_map(height, options.ao_strength))
    rough_byte = to_bytes(rough / factor)
    maps = {
        "diffuse": diffuse,
        "normal": cv2.convertScaleAbs(relief.normal_map(height), alpha=127.5, beta=127.5),
        "roughness_map": rough_byte,
        "ao": occlusion,
        "height": to_bytes(unit(height)),
        "orm": cv2.merge([occlusion, rough_byte, np.zeros_like(occlusion)]),
        "thumbnail": shrink(diffuse, THUMBNAIL, THUMBNAIL),
    }
    opacity = None
    if tile.opacity is not None:
        opacity = maps["alpha"] = to_bytes(tile.opacity)
    red, green, blue, _ = cv2.mean(tile.albedo)
    return Scan(
        **{role: encode(role, pixels, options.format) for role, pixels in maps.items()},
        fabric_class=options.fabric_class,
        roughness=factor,
        metalness=0.0,
        tile_aspect=round(tile.frame.aspect, 4),
        material=mesh_physical_material(
            cloth, (red, green, blue), factor, tile.frame.aspect, opacity, fibre_direction(diffuse)
        ),
        quality=_report(tile, diffuse, options) | {"roughness_seen": measured},
    )


def make_tile(photo: bytes, options: ScanOptions, flash: bytes | None = None) -> Tile:
    """All steps before the maps. Raises FabricError."""
    size = options.size
    cloth, outline = flat_cloth(photo, options)
    region = cloth.region
    width = cloth.colour.shape[1]
    square = region.of(cloth.colour)
    opacity = None if cloth.opacity is None else region.of(cloth.opacity)
    if opacity is not None and opacity.min() == 255:
        opacity = None
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    photo_quality = quality.judge(square, grey)
    texture = grey if opacity is None else opacity  # a net's threads are all of one colour
    fine = find_repeats(texture) if opacity is not None or photo_quality.relief else (None, None)
    seen = square if opacity is None else cv2.merge([opacity] * 3)
    repeats = find_large_repeats(seen, texture, fine, longest_side(len(texture)))
    frame = choose_frame(texture, repeats)
    matrix = cloth.to_photo @ region.offset
    fractions = np.diag([*1 / np.array(cloth.photo.shape[1::-1]), 1])
    to_photo = fractions @ PIXEL_CENTRES @ tile_matrix(frame, size, matrix)
    pair = None
    if flash is not None:
        corners = outline.corners * cloth.photo.shape[1::-1] if outline else None
        pair = flash_pair((photo, flash), cloth.photo, corners, Window(frame, size, matrix))
    if pair:
        linear, hue = pair.colour, None
    else:
        code = cut_out(cloth.photo, frame, size, matrix)
        linear, hue = srgb_to_linear(code), exact_hue(photo, code, to_photo)
    if white := options.white_point or cloth.white:
        linear = balanced(linear, white)
    cut_opacity = None
    if opacity is not None and cloth.photo_opacity is not None:
        cut_opacity = cut_out(cloth.photo_opacity, frame, size, matrix)
    likely = cloth.shadow_in(frame, size)
    side, larger = region.side, cloth.larger
    # They are as large as the photo; from here on only the tile counts.
    del cloth, square, grey, texture, opacity, seen
    sigma = max([LIGHT_SIGMA, *(MOTIF_SIGMA * (repeat.period / side) for repeat in repeats if repeat)])
    half = halved(linear)
    counts = repeat_counts(frame, repeats)
    across, down = (count * (1 + OVERLAP) if count else None for count in counts)  # with the overlap
    gain = well_lit(linear, sigma, options.light_strength, (across, down), likely, hue)
    even = evened(linear, gain, options.contrast_strength, half)
    more = [] if cut_opacity is None else [cut_opacity.astype(np.float32) / 255]
    more += [pair.slopes.towards] if pair else []
    even = np.dstack([even, *more]) if more else even
    tile, cut, begin = settle_border(*make_seamless(even, size))
    tile_opacity = None if cut_opacity is None else np.clip(tile[..., 3], 0, 1)
    albedo = calmed(np.ascontiguousarray(tile[..., :3]), counts, options.light_strength)
    slopes = replace(pair.slopes, towards=tile[..., -1]) if pair else None
    return Tile(
        albedo, cut, frame, width, repeats, outline, photo_quality, flatness(half), to_photo, begin, larger,
        misfit(even, size, cut_opacity is None), tile_opacity, region.beside, white, slopes,
        flash is not None and pair is None, pair.lobe if pair else None, repeats != fine,
    )  # fmt: skip


def _report(tile: Tile, diffuse: np.ndarray, options: ScanOptions) -> dict[str, object]:
    """The `quality` of a scan, as plain values for JSON."""
    sides = [float(np.linalg.norm(v)) for v in (tile.frame.across, tile.frame.down)]
    counts = [count for count in repeat_counts(tile.frame, tile.repeats) if count]
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
    advice = quality.advice(
        tile.photo,
        tile.flatness,
        [] if tile.motifs else counts,  # what was seen to repeat in whole motifs needs no more of them
        tile.larger * sides[0] / options.size,
        tile.beside,
        tile.misfit,
        FABRIC_CLASSES[options.fabric_class].holes and tile.opacity is None,
        tile.motifs,
    )
    if tile.unpaired:
        advice.append(UNPAIRED)
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
        "white_point": [round(value) for value in tile.white] if tile.white else None,
        "flash": None if tile.slopes is None else round(tile.slopes.trust, 3),
        "tile_corners": tile.corners,
        "tile_width_mm": round(tile_mm, 2) if tile_mm else None,
        "tile_aspect": round(tile.frame.aspect, 4),
        "advice": advice,
    }
