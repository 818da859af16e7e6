"""The window around the garment that the model works on, and the tensors it gets."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.resize import shrink_to

# Room around the garment, as a share of its longer side, so that the model sees the scene's light.
_MARGIN = 0.22
# A window smaller than this, in pixels, would show the model nothing to go by.
_LEAST_SIDE = 32
# The VAE's: one latent stands for so many pixels each way.
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

        beyond: OpenCV's border mode for what lies outside the frame.
        """
        frame_height, frame_width = picture.shape[:2]
        left, top = max(0, -self.x), max(0, -self.y)
        right = max(0, self.x + self.width - frame_width)
        bottom = max(0, self.y + self.height - frame_height)
        window = picture[
            max(0, self.y) : self.y + self.height - bottom, max(0, self.x) : self.x + self.width - right
        ]
        if top or bottom or left or right:
            window = cv2.copyMakeBorder(window, top, bottom, left, right, beyond)
        if self.width > resolution[1]:
            return shrink_to(window, resolution[::-1])
        return cv2.resize(window, resolution[::-1], interpolation=cv2.INTER_CUBIC)


def around(mask: np.ndarray, resolution: tuple[int, int]) -> Crop:
    """The smallest window of the resolution's aspect around the garment and its margin.

    It stays within the frame where it fits; where it does not, the frame is in its middle. With an
    empty mask it is around the whole frame.
    """
    frame_height, frame_width = mask.shape
    x, y, width, height = cv2.boundingRect(mask) if mask.any() else (0, 0, frame_width, frame_height)
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


def _place(centre: float, length: int, frame: int) -> int:
    if length >= frame:
        return (frame - length) // 2
    return int(min(max(round(centre - length / 2), 0), frame - length))


def latent_mask(crop: Crop, mask: np.ndarray, resolution: tuple[int, int]) -> np.ndarray:
    """1 where the model paints: every latent that the garment touches. (1, 1, H/8, W/8) float32."""
    touched = cv2.compare(crop.of(mask, resolution, cv2.BORDER_CONSTANT), 4, cv2.CMP_GT)
    height, width = (side // _LATENT for side in resolution)
    share = cv2.resize(touched, (width, height), interpolation=cv2.INTER_AREA)  # one pixel makes it 4 of 255
    return (share > 0)[None, None].astype(np.float32)


def pixels(
    crop: Crop, composite: np.ndarray, painted: np.ndarray, resolution: tuple[int, int], masked: bool
) -> np.ndarray:
    """The VAE encoder's input, (N, 3, H, W) float32, RGB in −1…1: the composite, and where the
    checkpoint wants it the conditioning image, which is the composite with `painted` blanked to 0."""
    # Beyond the frame its edge goes on: mirrored, a second head would look in from above.
    picture = crop.of(composite, resolution, cv2.BORDER_REPLICATE)
    rgb = np.stack(cv2.split(picture)[::-1])[None].astype(np.float32)
    rgb /= 127.5
    rgb -= 1
    if not masked:
        return rgb
    blank = painted.repeat(_LATENT, axis=2).repeat(_LATENT, axis=3)
    return np.concatenate([rgb, rgb * (1 - blank)])
