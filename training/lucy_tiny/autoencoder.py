"""The autoencoder: its encoder is set in closed form, its decoder is trained.

The four latent channels of an 8×8 patch are its four strongest principal components. An encoder trained from
random weights has wrong colours for hours; this one is exact from the start, and keeps every patch's mean.
diffusers' `AutoencoderKL` computes it when its weights are set as below; every residual branch starts at
zero.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

PATCH = 8


@dataclass(frozen=True)
class Basis:
    """mean (192,) and components (4, 192) of patches (8, 8, 3) in −1…1, flattened; scale (4,): standard
    deviations, by which latents are divided."""

    mean: np.ndarray
    components: np.ndarray
    scale: np.ndarray

    def encode(self, picture: np.ndarray) -> np.ndarray:
        """The network's latents of pictures: (..., H, W, 3) uint8 → (..., 4, H/8, W/8) float32."""
        latents = (patches(picture) - self.mean) @ (self.components / self.scale[:, None]).T
        return np.moveaxis(latents, -1, -3).astype(np.float32)


def patches(picture: np.ndarray) -> np.ndarray:
    """(..., H, W, 3) uint8 → (..., H/8, W/8, 192) float32 in −1…1."""
    *batch, height, width, _ = picture.shape
    split = picture.reshape(*batch, height // PATCH, PATCH, width // PATCH, PATCH, 3)
    flat = np.moveaxis(split, -4, -3).reshape(*batch, height // PATCH, width // PATCH, PATCH * PATCH * 3)
    return flat.astype(np.float32) / 127.5 - 1


def fit_basis(pictures: np.ndarray) -> Basis:
    """The principal components of the patches of pictures (N, H, W, 3) uint8."""
    flat = patches(pictures).reshape(-1, PATCH * PATCH * 3).astype(np.float64)
    mean = flat.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    return Basis(
        mean.astype(np.float32),
        vectors[:, :-5:-1].T.astype(np.float32),
        np.sqrt(variances[:-5:-1]).astype(np.float32),
    )


@torch.no_grad()
def read_basis(vae: AutoencoderKL) -> Basis:
    """A basis that encodes like the one that `set_linear` put into an encoder; only its mean may differ."""
    patch = torch.eye(PATCH * PATCH * 3).reshape(-1, PATCH, PATCH, 3).permute(0, 3, 1, 2) / 2
    above, below, grey = (
        vae.encode(pixels.to(vae.device)).latent_dist.mean.flatten(1).cpu().numpy()
        for pixels in (patch, -patch, torch.zeros(1, 3, PATCH, PATCH))
    )
    rows = (above - below).T  # components / scale, (4, 192)
    scale = 1 / np.linalg.norm(rows, axis=1)
    return Basis(-np.linalg.pinv(rows) @ grey[0], rows * scale[:, None], scale)


# A pair of constants ±HIGH in a group makes its variance nearly constant, so that GroupNorm only divides by
# a known number; silu(x) − silu(−x) = x then cancels the activation.
_HIGH = 100.0
_HIGH_DECODER = 4.0


@torch.no_grad()
def set_linear(vae: AutoencoderKL, basis: Basis) -> None:
    """Make the encoder compute `basis.encode` and the decoder begin with the patches' means, interpolated."""
    for module in vae.modules():
        if hasattr(module, "conv1") and hasattr(module, "conv2"):  # a residual block: only its shortcut
            _zero(module.conv2)
    _set_encoder(vae.encoder, basis)
    _set_decoder(vae.decoder, basis)


def _zero(module: Any) -> Any:
    for parameter in module.parameters():
        parameter.zero_()
    return module


def _set_encoder(encoder: Any, basis: Basis) -> None:
    _zero(encoder.conv_in).weight[range(3), range(3), 1, 1] = 1
    # weights[k, Y, y, v, X, x, u, c]: of component k at pixel (4Y + 2y + v, 4X + 2x + u), colour c
    weights = torch.from_numpy(basis.components / basis.scale[:, None]).reshape(4, 2, 2, 2, 2, 2, 2, 3)
    first, second, third, last = encoder.down_blocks
    # Each 2×2 pixels become 12 channels, (v, u, c).
    convolution = _zero(first.downsamplers[0].conv)
    for v in range(2):
        for u in range(2):
            for c in range(3):
                convolution.weight[6 * v + 3 * u + c, c, v, u] = 1
    _pass(second.resnets[0].conv_shortcut, 12)
    # Each 2×2 of those become 16, (Y, X, k): what a quadrant adds to every component.
    convolution = _zero(second.downsamplers[0].conv)
    for row in range(2):
        for column in range(2):
            for k in range(4):
                block = weights[k, row, :, :, column, :, :, :]  # (y, v, x, u, c)
                taps = block.permute(1, 3, 4, 0, 2).reshape(12, 2, 2)
                convolution.weight[8 * row + 4 * column + k, :12, :2, :2] = taps
    _pass(third.resnets[0].conv_shortcut, 16)
    # The quadrants' sum.
    convolution = _zero(third.downsamplers[0].conv)
    for row in range(2):
        for column in range(2):
            for k in range(4):
                convolution.weight[k, 8 * row + 4 * column + k, row, column] = 1
    offset = torch.from_numpy((basis.components / basis.scale[:, None]) @ basis.mean)
    convolution.bias[:4] = -offset
    shortcut = _zero(last.resnets[0].conv_shortcut)
    shortcut.weight[range(4), range(4), 0, 0] = 1
    shortcut.weight[range(4, 8), range(4), 0, 0] = -1
    shortcut.bias[8], shortcut.bias[9] = _HIGH, -_HIGH
    deviation = _HIGH * (2 / (encoder.conv_norm_out.num_channels / encoder.conv_norm_out.num_groups)) ** 0.5
    _zero(encoder.conv_out).weight[range(4), range(4), 1, 1] = deviation
    encoder.conv_out.weight[range(4), range(4, 8), 1, 1] = -deviation
    encoder.conv_out.bias[4:] = -30  # log variance: none


def _pass(shortcut: Any, channels: int) -> None:
    _zero(shortcut).weight[range(channels), range(channels), 0, 0] = 1


def _set_decoder(decoder: Any, basis: Basis) -> None:
    # Channels 0 to 2 carry the picture; the others keep their random weights.
    colours = (basis.components * basis.scale[:, None]).reshape(4, PATCH * PATCH, 3).mean(axis=1)
    decoder.conv_in.weight[:3] = 0
    decoder.conv_in.weight[:3, :, 1, 1] = torch.from_numpy(colours.T.copy())
    decoder.conv_in.bias[:3] = torch.from_numpy(basis.mean.reshape(-1, 3).mean(axis=0))
    tent = torch.tensor([0.25, 0.5, 0.25])
    for block in decoder.up_blocks:
        for upsampler in block.upsamplers or ():
            upsampler.conv.weight[:3] = 0
            upsampler.conv.weight[range(3), range(3)] = tent[:, None] * tent
            upsampler.conv.bias[:3] = 0
        shortcut = block.resnets[0].conv_shortcut
        if shortcut is not None and block is not decoder.up_blocks[-1]:
            shortcut.weight[:3] = 0
            shortcut.weight[range(3), range(3)] = 1
            shortcut.bias[:3] = 0
    shortcut = decoder.up_blocks[-1].resnets[0].conv_shortcut
    shortcut.weight[:12] = 0
    shortcut.bias[:12] = 0
    for c in range(3):
        shortcut.weight[4 * c, c], shortcut.weight[4 * c + 1, c] = 1, -1
        shortcut.bias[4 * c + 2], shortcut.bias[4 * c + 3] = _HIGH_DECODER, -_HIGH_DECODER
    deviation = _HIGH_DECODER / 2**0.5
    _zero(decoder.conv_out)
    for c in range(3):
        decoder.conv_out.weight[c, 4 * c, 1, 1] = deviation
        decoder.conv_out.weight[c, 4 * c + 1, 1, 1] = -deviation


def train_decoder(
    vae: AutoencoderKL,
    pictures: np.ndarray,
    seconds: float,
    device: torch.device,
    seed: int = 0,
    on_step: Callable[[float, float], None] = lambda share, loss: None,
) -> None:
    """Train the decoder on random 128×128 windows of pictures (N, H, W, 3) uint8; the encoder is not changed.

    on_step: called with the share of the time that has passed and the loss.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator(device).manual_seed(seed)
    decoder = vae.decoder.to(device).train()
    vae.encoder.to(device).requires_grad_(False)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-3, weight_decay=1e-4)
    batch = 64 if device.type == "cuda" else 8
    began = time.monotonic()
    while (share := (time.monotonic() - began) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, 50 * share + 0.02) * (1 - share) + 1e-6
        windows = _windows(pictures, batch, rng)
        target = torch.from_numpy(windows).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            latents = vae.encode(target).latent_dist.mean
            # The UNet's latents are not exactly those of a picture.
            latents = latents + 0.04 * torch.randn(latents.shape, device=device, generator=generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            decoded = decoder(latents)
        loss = reconstruction_loss(decoded.float(), target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        on_step(share, loss.item())
    decoder.eval()


def _windows(pictures: np.ndarray, count: int, rng: np.random.Generator, side: int = 128) -> np.ndarray:
    chosen = rng.integers(len(pictures), size=count)
    corners = PATCH * rng.integers((pictures.shape[1] - side) // PATCH + 1, size=(count, 2))
    return np.stack(
        [pictures[i, y : y + side, x : x + side] for i, (y, x) in zip(chosen, corners, strict=True)]
    )


def reconstruction_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, and a little absolute error of the colours and of their differences."""
    squared = functional.mse_loss(decoded, target)
    absolute = functional.l1_loss(decoded, target)
    across = functional.l1_loss(decoded.diff(dim=3), target.diff(dim=3))
    down = functional.l1_loss(decoded.diff(dim=2), target.diff(dim=2))
    return squared + 0.1 * absolute + 0.1 * (across + down)
