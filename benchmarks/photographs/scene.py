"""A path-traced scene in a folder of its own: what a client sends, and what is true of it.

camera.jpg   the person without the jacket     render.png   the jacket as a client draws it
target.jpg   the photograph with the jacket    mask.png     where the jacket is truly visible in it
pose.json    33 landmarks                      meta.json    person, jacket, light (not read)
"""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from pipeline.garment.masking import over
from pipeline.garment.pose import Pose
from pipeline.resize import size_of
from training.landmarks import from_points

_FILES = ("camera.jpg", "render.png", "target.jpg", "mask.png", "pose.json")
# How far around a tracker's hand its fingers, wrist and motion blur may reach, as a share of its longer side.
_AROUND_HAND = 0.5


@dataclass(frozen=True)
class Scene:
    """camera_frame, jacket_render: compressed bytes, (N,) uint8. pose: (33, 4) float32.
    target: (H, W, 3) BGR uint8. visible: (H, W) uint8, the jacket's true coverage."""

    name: str
    camera_frame: np.ndarray
    jacket_render: np.ndarray
    pose: np.ndarray
    target: np.ndarray
    visible: np.ndarray

    @cached_property
    def frame(self) -> np.ndarray:
        return cv2.imdecode(self.camera_frame, cv2.IMREAD_COLOR)

    @cached_property
    def alpha(self) -> np.ndarray:
        """(H, W) uint8: where the client has drawn the jacket."""
        return self._render[..., 3]

    @cached_property
    def drawn(self) -> np.ndarray:
        """(H, W, 3) BGR uint8: the render, premultiplied by its alpha."""
        premultiplied = cv2.cvtColor(self._render, cv2.COLOR_BGRA2RGBA)
        premultiplied = cv2.cvtColor(premultiplied, cv2.COLOR_RGBA2mRGBA)
        return cv2.cvtColor(premultiplied, cv2.COLOR_RGBA2BGR)

    @cached_property
    def composite(self) -> np.ndarray:
        """The render drawn on the frame, over head and hands: what a client has without us."""
        return over(self.drawn, self.alpha, self.frame)

    @cached_property
    def hands(self) -> np.ndarray:
        """(H, W) bool: a hand before the jacket."""
        near = np.zeros(self.visible.shape, np.uint8)
        for hand in Pose(self.pose, size_of(self.frame)).hands:
            outline = hand.outline.within((0, 0, *size_of(near)))
            side = 2 * round(_AROUND_HAND * max(size_of(hand.outline.mask)) / 2) + 1
            near |= cv2.dilate(outline, np.ones((side, side), np.uint8))
        hidden = cv2.erode(
            ((self.alpha > 127) & (self.visible < 32)).view(np.uint8), np.ones((3, 3), np.uint8)
        )
        return (near & hidden).astype(bool)

    @cached_property
    def _render(self) -> np.ndarray:
        render = cv2.imdecode(self.jacket_render, cv2.IMREAD_UNCHANGED)
        return cv2.resize(render, size_of(self.frame), interpolation=cv2.INTER_AREA)

    def darkened(self, share: float) -> "Scene":
        """The same scene at a share of its light, as a camera with a fixed exposure sees it."""
        frame, target = (_times(picture, share) for picture in (self.frame, self.target))
        return replace(self, camera_frame=encoded(".jpg", frame), target=target)


def encoded(suffix: str, picture: np.ndarray) -> np.ndarray:
    """What a client sends: the file's bytes, (N,) uint8. The quality is a JPEG's."""
    return cv2.imencode(suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].reshape(-1)


def read(folder: Path) -> Scene:
    landmarks = json.loads((folder / "pose.json").read_text())["landmarks"] or []
    return Scene(
        name=folder.name,
        camera_frame=np.fromfile(folder / "camera.jpg", np.uint8),
        jacket_render=np.fromfile(folder / "render.png", np.uint8),
        pose=from_points(landmarks) if landmarks else np.zeros((33, 4), np.float32),
        target=cv2.imread(str(folder / "target.jpg"), cv2.IMREAD_COLOR),
        visible=cv2.imread(str(folder / "mask.png"), cv2.IMREAD_GRAYSCALE),
    )


def scenes_in(folder: Path, most: int | None = None) -> list[Scene]:
    """The complete scenes of a folder, at any depth; `most` of them, evenly spread.

    Raises FileNotFoundError.
    """
    found = sorted(it.parent for it in folder.rglob("target.jpg"))
    found = [it for it in found if all((it / name).exists() for name in _FILES)]
    if not found:
        raise FileNotFoundError(f"{folder} holds no scene: a folder with {', '.join(_FILES)}")
    if most is not None and len(found) > most:
        found = [found[round(index)] for index in np.linspace(0, len(found) - 1, most)]
    return [read(it) for it in found]


def _times(picture: np.ndarray, share: float) -> np.ndarray:
    """A picture at a share of its light, which is linear, and sRGB is not."""
    code = np.arange(256) / 255
    linear = share * np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    darker = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return cv2.LUT(picture, np.rint(255 * darker).astype(np.uint8))
