"""A picture of latents by the inverse of an encoder that is linear in patches (patch_encoder.py).

The VAE's decoder adds what patches of 8×8 pixels in four numbers do not have: edges and texture. Where only a
share of the picture's coarse light is used, this costs a thousandth of it.
"""

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FILE = "linear_decoder.npz"


class LinearDecoder:
    """latents (B, C, h, w) → pixels (B, 3, 8·h, 8·w) in −1…1, on the latents' device."""

    def __init__(self, kernel: Tensor, bias: Tensor):
        """kernel: (C, 3, 8, 8), each latent's patch. bias: (C,), the latents of grey."""
        self._kernel, self._bias = kernel, bias

    @classmethod
    def inverse_of(cls, weight: Tensor, bias: Tensor) -> "LinearDecoder":
        """Of all pictures that the encoder maps to given latents it makes the one nearest to grey (Moore and
        Penrose's inverse). weight: the encoder's, (C, 3, 8, 8). bias: (C,)."""
        inverse = torch.linalg.pinv(weight.flatten(1).double()).float()  # (3·8·8, C)
        return cls(inverse.T.reshape(weight.shape).contiguous(), bias)

    @classmethod
    def read(cls, path: Path) -> "LinearDecoder":
        with np.load(path) as file:
            return cls(torch.from_numpy(file["kernel"]), torch.from_numpy(file["bias"]))

    def file(self) -> bytes:
        """What `read` reads."""
        written = io.BytesIO()
        np.savez(written, kernel=self._kernel.numpy(), bias=self._bias.numpy())
        return written.getvalue()

    @torch.no_grad()
    def __call__(self, latents: Tensor) -> Tensor:
        kernel, bias = self._kernel.to(latents.device), self._bias.to(latents.device)
        patches = latents.float() - bias[:, None, None]
        return functional.conv_transpose2d(patches, kernel, stride=kernel.shape[-1]).clamp(-1, 1)
