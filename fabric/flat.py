"""The cloth of a photo as seen from above, and how its pixels lie on those of the photo."""

from dataclasses import dataclass, replace

import numpy as np

from fabric.camera import true_aspect
from fabric.card import is_card
from fabric.errors import FabricError
from fabric.frame import OVERLAP, Frame, tile_matrix
from fabric.holes import separated
from fabric.ingest import decode, focal_length
from fabric.neutral_card import neutral_card_colour
from fabric.options import ScanOptions
from fabric.rectify import Outline, find_outline, ordered, preview_of
from fabric.region import Region, find_objects, find_region
from fabric.shadow import Shadow, seen_through
from fabric.view import flat_view, side_length, straighten
from fabric.white import WhitePoint, card_colour, paper_colour

MIN_SWATCH = 32  # pixels of the shorter side; less shows no weave
_ENOUGH = 1.7  # times the pixels that were read first would be needed: they show the repeat well enough
MAX_ASPECT = 6.0  # of a swatch; a narrower one is a wrong estimate


@dataclass(frozen=True)
class Cloth:
    """photo: (H, W, 3) uint8, and its opacity (H, W), None without holes.

    white: the colour of a neutral card that lies on the cloth, None without one.
    colour, opacity: the same seen from above, in which `region` is only cloth. It serves to find the repeat;
    the tile is sampled from the photo itself. to_photo: 3×3 from these pixels to the photo's. larger: about
    how many of the photo's pixels lie along one of these.
    """

    photo: np.ndarray
    photo_opacity: np.ndarray | None
    colour: np.ndarray
    opacity: np.ndarray | None
    region: Region
    to_photo: np.ndarray
    larger: float = 1.0
    white: WhitePoint | None = None

    def shadow_in(self, frame: Frame, size: int) -> Shadow | None:
        """The cloth's shadow as it lies on a tile of `size` pixels with its overlap."""
        if self.region.shadow is None:
            return None
        height, width = self.colour.shape[:2]
        matrix = self.region.offset @ tile_matrix(frame, size)
        return seen_through(self.region.shadow, matrix, (width, height), size + int(size * OVERLAP))


def flat_cloth(photo: bytes, options: ScanOptions) -> tuple[Cloth, Outline | None]:
    """The cloth seen from above, and its outline if the photo shows one.

    The outline's corners are fractions of the photo's width and height. Raises FabricError.
    """
    needed = int(options.size * (1 + OVERLAP))
    pixels = decode(photo, needed)
    height, width = pixels.shape[:2]
    outline, card = _outline(pixels, options)
    if outline is None:
        white = card_colour(pixels, card) if card is not None else None
        cloth = _whole_cloth(photo, pixels, needed, table=card is None)
        if white is None and cloth.region.beside == "object" and not options.white_point:
            cells = find_objects(cloth.colour)
            white = paper_colour(cloth.colour, cells) or neutral_card_colour(cloth.colour, cells)
        return replace(cloth, white=white), None
    corners = outline.corners
    estimate = true_aspect(corners, (width, height), focal_length(photo))
    aspect = estimate if 1 / MAX_ASPECT < estimate < MAX_ASPECT else None
    wanted = needed / min(side_length(corners))
    seen, to_seen = pixels, np.eye(3)
    if wanted > 1.2:  # the swatch is a small part of the photo: read it again in full resolution
        pixels = decode(photo, int(min(height, width) * wanted), corners / [width, height])
        larger = pixels.shape[1] / width
        corners = corners * larger
        if wanted > _ENOUGH:
            seen = pixels
        else:
            to_seen = np.diag([1 / larger, 1 / larger, 1])
    # The view has no more pixels than what it is made of.
    longest = min(needed * 1.5, max(side_length(outline.corners if seen is not pixels else corners, aspect)))
    to_photo, size = flat_view(corners, int(longest), aspect)
    if min(size) < MIN_SWATCH:
        if not options.corners:
            return _whole_cloth(photo, decode(photo, needed), needed), None
        raise FabricError(
            "INVALID_INPUT",
            f"the corners span only {size[0]}×{size[1]} pixels; choose a wider part of the "
            "photo, or move closer",
        )
    source, source_opacity = separated(pixels)
    colour, opacity = source, source_opacity
    if seen is not pixels:
        colour, opacity = separated(seen)
    colour = straighten(colour, to_seen @ to_photo, size)
    opacity = None if opacity is None else straighten(opacity, to_seen @ to_photo, size)
    larger = max(side_length(corners, aspect)) / max(size)
    cloth = Cloth(source, source_opacity, colour, opacity, find_region(colour, opacity), to_photo, larger)
    if cloth.region.beside == "object" and not options.white_point:
        cloth = replace(cloth, white=neutral_card_colour(colour, find_objects(colour)))
    return cloth, Outline(outline.corners / [width, height], outline.confidence)


def _outline(pixels: np.ndarray, options: ScanOptions) -> tuple[Outline | None, np.ndarray | None]:
    """The swatch's outline; or the corners of a card that lies on the cloth."""
    height, width = pixels.shape[:2]
    if options.corners:
        return Outline(ordered(np.array(options.corners) * [width, height]), 1.0), None
    if pixels.shape[2] == 4:  # holes look like edges; what was cut out needs no outline
        colour, opacity = separated(pixels)
        return (None if opacity is not None else find_outline(colour)), None
    preview = preview_of(pixels)
    outline = find_outline(pixels, preview)
    if outline and is_card(*_smaller(pixels, preview, outline.corners)):
        return None, outline.corners
    return outline, None


def _smaller(pixels: np.ndarray, preview: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smaller one of a picture and its preview, and the places in it of `corners` in the picture."""
    scale = preview.shape[1] / pixels.shape[1]
    return (preview, (corners + 0.5) * scale - 0.5) if scale < 1 else (pixels, corners)


def _whole_cloth(photo: bytes, pixels: np.ndarray, needed: int, table: bool = False) -> Cloth:
    """The cloth of a photo without an outline, read again in more detail if only a part of it is usable.

    table: as `find_region` takes it.
    """
    colour, opacity = separated(pixels)
    region = find_region(colour, opacity, table)
    shorter = min(pixels.shape[:2])
    if region.side < min(needed, 0.95 * shorter):
        larger = decode(photo, int(shorter * needed / region.side))
        scale = larger.shape[0] / pixels.shape[0]
        if scale > 1.2:
            side = min(int(region.side * scale), *larger.shape[:2])
            region = Region(int(region.top * scale), int(region.left * scale), side, region.beside)
            colour, opacity = separated(larger)
    return Cloth(colour, opacity, colour, opacity, region, np.eye(3))
