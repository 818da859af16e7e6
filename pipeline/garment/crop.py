"""The window around the garment that the model works on, and the model's inputs from it."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.resize import halved, shrink_to, size_of

# Room around the garment, as a share of its longer side, so that the model sees the scene's light.
_MARGIN = 0.22
# Side of the window that shows the light's scene, over the garment's longer side, and how far its middle lies
# above the garment's, as a share of its own side.
_SCENE, _UPWARDS = 1.55, 0.1
# A window smaller than this, in pixels, would show the model too little of the scene.
_LEAST_SIDE = 32
# Coverage up to this is a codec's noise, or a shadow or its rim, and does not belong to the garment's box.
_FAINT = 8
# Pixels of a window that is padded beyond the frame; a larger one is halved first.
_MOST_PADDED = 8_000_000
# Pixels per latent, horizontally and vertically; a property of the VAE.
_LATENT = 8


@dataclass(frozen=True)
class Crop:
    """A window of the frame in pixels; it may reach beyond the frame's edges."""

    x: int
    y: int
    width: int
    height: int

    def of(self, picture: np.ndarray, resolution: tuple[int, int], beyond: int) -> np.ndarray:
        """The window of `picture` at `resolution` (height, width).

        beyond: OpenCV's border mode for the area outside the frame.
        """
        inside = picture[max(0, self.y) : self.y + self.height, max(0, self.x) : self.x + self.width]
        if inside.shape[:2] != (self.height, self.width):
            inside = self._padded(inside, resolution, beyond)
        if self.width > resolution[1]:
            return shrink_to(inside, resolution[::-1])
        return cv2.resize(inside, resolution[::-1], interpolation=cv2.INTER_CUBIC)

    def _padded(self, inside: np.ndarray, resolution: tuple[int, int], beyond: int) -> np.ndarray:
        """The whole window, from the part of it that lies inside the frame.

        A window that is much larger than the resolution is halved first: around a frame of 12,000 × 10
        pixels it has 214 megapixels.
        """
        left, top, width, height = max(0, -self.x), max(0, -self.y), self.width, self.height
        while width * height > _MOST_PADDED and width >= 4 * resolution[1]:
            inside = halved(inside)
            left, top, width, height = (length // 2 for length in (left, top, width, height))
        right, bottom = (
            max(0, length - start - seen)
            for length, start, seen in zip((width, height), (left, top), size_of(inside), strict=True)
        )
        return cv2.copyMakeBorder(inside, top, bottom, left, right, beyond)


def garment_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """x, y, width and height of what is more than faint in a mask, (H, W) uint8; None if nothing is."""
    x, y, width, height = cv2.boundingRect((mask > _FAINT).view(np.uint8))
    return (x, y, width, height) if width else None


def around(mask: np.ndarray, resolution: tuple[int, int]) -> Crop:
    """The smallest window around the garment and its margin that has the resolution's aspect.

    It stays inside the frame if it fits; otherwise the frame is centred in it. If the mask is empty, the
    window contains the whole frame.
    """
    frame_height, frame_width = mask.shape
    x, y, width, height = garment_box(mask) or (0, 0, frame_width, frame_height)
    margin = _MARGIN * max(width, height)
    aspect = resolution[1] / resolution[0]
    crop_height = max(height + margin, (width + margin) / aspect, _LEAST_SIDE)
    crop_width = round(crop_height * aspect)
    crop_height = round(crop_height)
    return Crop(
        _place(x + width / 2, crop_width, frame_width),
        _place(y + height / 2, crop_height, frame_height),
        crop_width,
        crop_height,
    )


def scene_around(mask: np.ndarray) -> Crop:
    """A square window around the garment with its surroundings and, usually, the face."""
    frame_height, frame_width = mask.shape
    x, y, width, height = garment_box(mask) or (0, 0, frame_width, frame_height)
    side = max(round(_SCENE * max(width, height)), _LEAST_SIDE)
    middle = y + height / 2 - _UPWARDS * side
    return Crop(_place(x + width / 2, side, frame_width), _place(middle, side, frame_height), side, side)


def place(framing: str, mask: np.ndarray, resolution: tuple[int, int]) -> Crop:
    """The window that the networks see.

    framing: `garment`: the window around it. `cover`: the largest window inside the frame, with the garment
        as near to its middle as the frame allows. `contain`: the smallest window around the whole frame.
    """
    if framing == "garment":
        return around(mask, resolution)
    frame_height, frame_width = mask.shape
    aspect = resolution[1] / resolution[0]
    if (frame_width > frame_height * aspect) == (framing == "cover"):
        crop_width, crop_height = round(frame_height * aspect), frame_height
    else:
        crop_width, crop_height = frame_width, round(frame_width / aspect)
    x, y, width, height = garment_box(mask) or (0, 0, 0, 0)
    return Crop(
        _place(x + width / 2, max(1, crop_width), frame_width),
        _place(y + height / 2, max(1, crop_height), frame_height),
        max(1, crop_width),
        max(1, crop_height),
    )


def _place(centre: float, length: int, frame: int) -> int:
    if length >= frame:
        return (frame - length) // 2
    return int(min(max(round(centre - length / 2), 0), frame - length))


def latent_mask(crop: Crop, mask: np.ndarray, resolution: tuple[int, int]) -> np.ndarray:
    """1 for every latent that the garment touches, which the model paints: (1, 1, H/8, W/8) float32."""
    touched = cv2.compare(crop.of(mask, resolution, cv2.BORDER_CONSTANT), 4, cv2.CMP_GT)
    height, width = (side // _LATENT for side in resolution)
    share = cv2.resize(touched, (width, height), interpolation=cv2.INTER_AREA)  # one pixel makes it 4 of 255
    return (share > 0)[None, None].astype(np.float32)


def pixels(
    crop: Crop, composite: np.ndarray, painted: np.ndarray, resolution: tuple[int, int], masked: bool
) -> np.ndarray:
    """The VAE encoder's input, (N, 3, H, W) float32, RGB in −1…1: the composite, and if `masked` the
    conditioning image, which is the composite with 0 where `painted` is 1."""
    # The frame's edge is repeated beyond the frame: a mirrored edge could show a second head there.
    rgb = _network_input(crop.of(composite, resolution, cv2.BORDER_REPLICATE))
    if not masked:
        return rgb
    blank = painted.repeat(_LATENT, axis=2).repeat(_LATENT, axis=3)
    return np.concatenate([rgb, rgb * (1 - blank)])


def person(
    crop: Crop, frame: np.ndarray, mask: np.ndarray, resolution: tuple[int, int], black_beside: bool
) -> tuple[np.ndarray, np.ndarray]:
    """For networks that get the garment as a picture of its own: (2, 3, H, W) float32, RGB in −1…1, the frame
    and the frame with 0 where it is painted anew; and (1, 1, H/8, W/8) float32, 1 for the latents there.

    mask: a pixel is painted anew from half its coverage on, and a latent as its first pixel is: so the public
        try-on networks were trained.
    black_beside: what lies beyond the frame is black; otherwise the frame's edge is repeated.
    """
    beyond = cv2.BORDER_CONSTANT if black_beside else cv2.BORDER_REPLICATE
    rgb = _network_input(crop.of(frame, resolution, beyond))
    painted = (crop.of(mask, resolution, cv2.BORDER_CONSTANT) > 127).astype(np.float32)
    latents = painted[::_LATENT, ::_LATENT][None, None].copy()
    return np.concatenate([rgb, rgb * (1 - painted)]), latents


def _network_input(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) BGR uint8 → (1, 3, H, W) float32, RGB in −1…1."""
    rgb = np.stack(cv2.split(picture)[::-1])[None].astype(np.float32)
    rgb /= 127.5
    rgb -= 1
    return rgb
