"""Rows as the served networks see them: the very `preprocess` of the server, and the photo in its crop."""

from dataclasses import dataclass

import cv2
import numpy as np

from families.tuning import Pictures
from pipeline.garment.crop import Crop
from pipeline.garment.preparation import prepare
from pipeline.pictures.decoding import decode_grey, decode_opaque, decode_with_alpha
from pipeline.recipe import PipelineConfig
from pipeline.resize import size_of
from training.finetune.augmentation import Shot
from training.finetune.rows import Row
from training.scene_light.samples import with_photograph

_NONE = np.zeros(1, np.uint8)
_WHITE = 255


@dataclass(frozen=True)
class Prepared:
    """A row after `preprocess`.

    person, photo: (H, W, 3) BGR uint8 of one size. mask: (H, W) uint8, the garment's coverage.
    render: (H, W, 3) BGR uint8, the frame with the render where there is one; None without one.
    reason: why there is nothing to paint, or None.
    pictures: for the denoiser. scene: (14, 96, 96) uint8, the light reader's planes and the photo; None for a
        checkpoint without one.
    """

    person: np.ndarray
    photo: np.ndarray
    mask: np.ndarray
    render: np.ndarray | None
    reason: str | None
    pictures: Pictures
    scene: np.ndarray | None


@dataclass(frozen=True)
class Preparation:
    """How a checkpoint's server prepares a request.

    with_scene: whether the light reader's input is made, too.
    """

    config: PipelineConfig
    with_scene: bool

    @property
    def needs_render(self) -> bool:
        """Whether the checkpoint paints a render; otherwise it dresses in a photo of the garment."""
        return self.config.conditioning != "person"

    @property
    def resolution(self) -> tuple[int, int]:
        """(height, width) that is trained: the captures'."""
        return self.config.capture.resolution

    def of(self, row: Row) -> Prepared:
        """Raises InvalidInput, NotAnImage, ValueError."""
        return self.of_shot(read_shot(row))

    def of_shot(self, shot: Shot) -> Prepared:
        tensors, report = prepare(
            camera_frame=_encoded(shot.person),
            jacket_render=_encoded(shot.render),
            pose=shot.pose,
            client_mask=_encoded(shot.mask),
            render_fit="auto",
            resolution=self.resolution,
            conditioning=self.config.conditioning,
            framing=self.config.framing,
            category="" if self.needs_render else "auto",
            with_scene=self.with_scene,
        )
        drawn = tensors.get("drawn", tensors["composite"])
        crop = Crop(*tensors["crop"].tolist())
        scene = None
        if self.with_scene and report["mode_reason"] is None:
            window = Crop(*tensors["scene_window"].tolist())
            scene = with_photograph(tensors["scene"], window, shot.photo)
        return Prepared(
            person=shot.person,
            photo=shot.photo,
            mask=tensors["mask"],
            render=None if shot.render is None else drawn,
            reason=report["mode_reason"],
            pictures=Pictures(
                _network_input(crop.of(shot.photo, self.resolution, cv2.BORDER_REPLICATE)),
                tensors["pixels"],
                tensors["latent_mask"],
                _garment(shot),
            ),
            scene=scene,
        )


def read_shot(row: Row) -> Shot:
    """The row's pictures; a photo of another size than the person's, but of its aspect, is resized.

    Raises ValueError for another aspect, or for a broken pose.
    """
    person, photo = (decode_opaque(row.read(name).tobytes()) for name in ("person", "photo"))
    (width, height), (photo_width, photo_height) = size_of(person), size_of(photo)
    if abs(photo_width * height - photo_height * width) > 0.02 * photo_width * height:
        raise ValueError(
            f"its photo has {photo_width} × {photo_height} pixels and its person {width} × {height}: they "
            "are no pictures of one shot"
        )
    if (width, height) != (photo_width, photo_height):
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    render = None if row.path("render") is None else decode_with_alpha(row.read("render").tobytes())
    garment = None if row.path("garment") is None else decode_with_alpha(row.read("garment").tobytes())
    mask = None if row.path("mask") is None else decode_grey(row.read("mask").tobytes())
    return Shot(person, photo, render, garment, mask, row.pose)


def _encoded(picture: np.ndarray | None) -> np.ndarray:
    if picture is None:
        return _NONE
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return data.ravel()


def _garment(shot: Shot) -> np.ndarray:
    """The garment's photo, or else the render, on white: (h, w, 3) RGB uint8."""
    picture = shot.garment if shot.garment is not None else shot.render
    assert picture is not None  # the checker has seen to it
    if picture.shape[2] == 3:
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    share = picture[..., 3:].astype(np.float32) / 255
    flat = picture[..., :3] * share + _WHITE * (1 - share)
    return np.ascontiguousarray(np.rint(flat).astype(np.uint8)[..., ::-1])


def _network_input(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) BGR uint8 → (1, 3, H, W) float32, RGB in −1…1."""
    rgb = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32)
    return rgb / np.float32(127.5) - 1
