"""What a family contributes to fine-tuning, in its module `tuning`: what the denoiser learns of a row.

A family without that module is not trained. `registry.tuning` finds it.

    x_0   clean latents of the photograph                       (1, 4, h, w)
    c     what the denoiser is shown beside the noisy latents   (1, C, h, w), the mask first
    m     where its error counts                                (1, 1, h, w), 0…1
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:  # importing torch takes seconds
    from torch import Tensor

    from families.family import Loaded


@dataclass(frozen=True)
class Pictures:
    """A row as the networks see it.

    photograph: (1, 3, H, W) float32, RGB in −1…1, in the crop.
    pixels, latent_mask: the outputs of `preprocess`.
    garment: (h, w, 3) RGB uint8, the garment's own picture: its photo, or the render on white.
    """

    photograph: np.ndarray
    pixels: np.ndarray
    latent_mask: np.ndarray
    garment: np.ndarray


@dataclass(frozen=True)
class Lesson:
    """x_0, c and m as above."""

    clean: "Tensor"
    channels: "Tensor"
    weight: "Tensor"


class Tuning(Protocol):
    """A module with these names. Importing it must not import torch."""

    TEXT_STAGE: str  # the stage that reads captions; empty if there is none
    TARGETS: str  # a regular expression of the UNet's modules that get a LoRA

    def tokens(self, loaded: "Loaded", captions: Sequence[str]) -> "Mapping[str, Tensor]":
        """The inputs of TEXT_STAGE."""

    def lesson(self, encode: "Callable[[Tensor], Tensor]", pictures: Pictures) -> Lesson:
        """encode: pixels (N, 3, H, W) → the means of their latents, (N, 4, h, w)."""

    def unconditioned(self, channels: "Tensor") -> "Tensor":
        """c as the row without guidance sees it; the same where captions alone are left out."""

    def conditions(
        self, embedded: "Mapping[str, Tensor]", rows: int, resolution: tuple[int, int]
    ) -> "Mapping[str, Tensor]":
        """The denoiser's inputs beside `sample` and `timestep`, of the outputs of TEXT_STAGE.

        resolution: (height, width) in pixels.
        """
