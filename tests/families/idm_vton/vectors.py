"""What the upstream code computed from a small checkpoint of random weights (tests/data/idm_vton).

`*_forward`, `resampler` and `text` are single networks, `run_*` whole jobs with their noise. All were
computed on a CPU in float32.
"""

import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.families import pictures

DATA = Path(__file__).resolve().parents[2] / "data" / "idm_vton"
CHECKPOINT = DATA / "checkpoint"
RESOLUTION = (256, 192)  # height, width
# Guidance of each run.
RUNS = {"run_steps4": 2.0, "run_steps4_noguidance": 1.0}
STEPS = 4
PROMPTS = json.loads((DATA / "prompts.json").read_text())
GARMENT = PROMPTS["prompt_cloth"].removeprefix("a photo of ")


def load(name):
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def picture(name):
    """(h, w, 3) RGB uint8."""
    return np.asarray(Image.open(DATA / "inputs" / f"{name}.png").convert("RGB"))


def squeezed(name):
    """The picture at the network's size, as upstream resizes it."""
    small = Image.open(DATA / "inputs" / f"{name}.png").convert("RGB").resize(RESOLUTION[::-1])
    return np.asarray(small)


def png(array):
    """A picture, RGB or grey, as compressed bytes."""
    return cv2.imencode(".png", array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2BGR))[1]


def job():
    """The request of every run: the person and its body parts at the network's size, what to paint, and the
    garment."""
    grey = np.asarray(Image.fromarray(squeezed("mask")).convert("L"))
    return {
        "camera_frame": png(squeezed("person")),
        "client_mask": png(np.where(grey > 0, 255, 0).astype(np.uint8)),
        "garment_image": png(picture("cloth")),
        "pose_image": png(squeezed("densepose")),
    }


def noise(run):
    """The run's random numbers in the order in which the conditioner draws them."""
    return np.concatenate([run[name].ravel() for name in ("noise", "vae_noise", "variance_noise")])


def rgb(pixels):
    """(1, 3, H, W) in −1…1 → (H, W, 3) uint8, as upstream rounds it."""
    return np.round(255 * np.clip(pixels[0].transpose(1, 2, 0) / 2 + 0.5, 0, 1)).astype(np.uint8)


psnr = partial(pictures.psnr, peak=255)
