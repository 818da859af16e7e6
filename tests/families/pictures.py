"""An answer of the server beside a picture that diffusers makes."""

import cv2
import numpy as np
from PIL import Image


def window(answer, size):
    """The crop as the networks see it, with the frame's edge repeated beyond it."""
    x, y, width, height = answer["crop"]
    room = max(width, height)
    padded = cv2.copyMakeBorder(answer["composite"], room, room, room, room, cv2.BORDER_REPLICATE)
    cut = padded[room + y : room + y + height, room + x : room + x + width]
    return Image.fromarray(
        cv2.cvtColor(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    )


def psnr(found, expected, peak=1):
    error = np.mean((np.float64(found) - expected) ** 2)
    return np.inf if error == 0 else 10 * np.log10(peak**2 / error)


def as_picture(pixels):
    """(1, 3, H, W) in −1…1 → (H, W, 3) in 0…1"""
    return (pixels[0].transpose(1, 2, 0) / 2 + 0.5).clip(0, 1)
