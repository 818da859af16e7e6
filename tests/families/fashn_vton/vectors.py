"""What the upstream code computed from the small checkpoint of random weights (tests/data/fashn_vton).

`forward` is one call of the network, `run_*` are whole jobs with their noise, `pose_*` are drawings,
`schedules` the timesteps, and the pictures show resizing. All were computed on a CPU in float32.
"""

import io
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.families import pictures

DATA = Path(__file__).resolve().parents[2] / "data" / "fashn_vton"
CHECKPOINT = DATA / "checkpoint"
RESOLUTION = (108, 72)  # height, width


def load(name):
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def tensors(name):
    return {key: torch.from_numpy(array) for key, array in load(name).items()}


def picture(name):
    return np.asarray(Image.open(DATA / name))


def compressed(array):
    """A picture, RGB or grey, as the bytes of a PNG."""
    data = io.BytesIO()
    Image.fromarray(array).save(data, "png")
    return np.frombuffer(data.getvalue(), np.uint8)


def job(**changes):
    """The request of the runs: person, pose and garment; everything may be painted."""
    person = picture("inputs/person.png")
    return {
        "camera_frame": compressed(person),
        "client_mask": compressed(np.full(person.shape[:2], 255, np.uint8)),
        "garment_image": compressed(picture("inputs/cloth.png")),
        "pose_image": compressed(picture("inputs/person_pose.png")),
        **changes,
    }


def masked_job(vector):
    """The request of the run in which a model wears the garment. The upstream cut the clothes out by their
    labels, which the product does not: the pictures are those that its network got, borders included."""

    def seen(name):
        return compressed(levels(vector[name]).squeeze())

    return {
        "camera_frame": seen("ca_images"),
        "client_mask": compressed(np.full(RESOLUTION, 255, np.uint8)),
        "garment_image": seen("garment_images"),
        "pose_image": seen("person_poses"),
        "garment_pose_image": seen("garment_poses"),
    }


def inside(picture, vector):
    """The picture, (H, W, 3), without the vector's borders."""
    left, top, right, below = vector["padding"]
    return picture[top : len(picture) - below, left : picture.shape[1] - right]


def levels(pixels):
    """(1, 3, h, w) in −1…1 → (h, w, 3) uint8."""
    return np.round(127.5 * (pixels[0].transpose(1, 2, 0) + 1)).astype(np.uint8)


psnr = partial(pictures.psnr, peak=255)
