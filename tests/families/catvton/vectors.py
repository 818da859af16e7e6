"""What the upstream code computed from a small checkpoint of random weights (tests/data/catvton).

`unet_forward` is one call of the UNet, `preprocess` what it made of the pictures, and `run_*` are whole jobs
with their noise. All were computed on a CPU in float32.
"""

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from tests.families import pictures

CHECKPOINT = Path(__file__).resolve().parents[2] / "data" / "catvton"
RESOLUTION = (256, 192)  # height, width
RUNS = [(steps, eta) for steps in (4, 10) for eta in (0, 1)]
GUIDANCE = 2.5


def load(name):
    with np.load(CHECKPOINT / "vectors" / f"{name}.npz") as file:
        return dict(file)


def picture(name):
    """RGB, or grey."""
    found = cv2.imread(str(CHECKPOINT / "vectors" / name), cv2.IMREAD_UNCHANGED)
    return found if found.ndim == 2 else cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def png(array):
    """A picture, RGB or grey, as compressed bytes."""
    return cv2.imencode(".png", array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2BGR))[1]


def job():
    """The request of every run: the person at the network's size, what to paint, and the garment."""
    prepared = load("preprocess")
    return {
        "camera_frame": png(prepared["image"]),
        "client_mask": png(255 * prepared["mask"]),
        "garment_image": png(picture("inputs/cloth.png")),
    }


def noise(run):
    """The run's random numbers in the order in which the conditioner draws them."""
    drawn = [run["noise"], run["vae_noise"], *([run["variance_noise"]] if "variance_noise" in run else [])]
    return np.concatenate([part.ravel() for part in drawn])


def rgb(pixels):
    """(1, 3, H, W) in −1…1 → (H, W, 3) uint8, as upstream rounds it."""
    return np.round(255 * np.clip(pixels[0].transpose(1, 2, 0) / 2 + 0.5, 0, 1)).astype(np.uint8)


psnr = partial(pictures.psnr, peak=255)
