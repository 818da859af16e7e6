"""Trains the UNet and the text encoder.

x_0   latents of the photograph          c   latents of the composite
ε     noise, N(0, 1)                     m   1 where the garment is painted
s     standard deviations of the autoencoder's principal components, one for each latent channel
z_t = sqrt(ᾱ_t)·x_0 + sqrt(1 − ᾱ_t)·ε
v   = sqrt(ᾱ_t)·ε − sqrt(1 − ᾱ_t)·x_0              Salimans & Ho (2022), arXiv:2202.00512
e = mean of (0.15 + m)·|s·(UNet([z_t, m, c], t, text) − v)|² over a picture
loss = d·log(1 + e/d)

The components are orthonormal, so |s·Δx_0|² is the squared error of the pixels. Without s, three quarters of
the loss came from the patches' slope, which is hardly visible. d stands for grain and threads, which the
latents cannot express. With it log(d + e) is the picture's error in decibels: a light that is wrong by a
tenth costs the same on black cloth as on white.

A network that has only seen noised photographs trusts each z_t, so that over many steps its first errors grow
(exposure bias: Ning et al. 2023, arXiv:2305.15583). So half of the z_t, except pure noise, are results of
sampling itself, after one or two of DDIM's steps. For those e is the mean of

    (0.15 + m)·|s·(sqrt(ᾱ_t)·z_t − sqrt(1 − ᾱ_t)·UNet([z_t, m, c], t, text) − x_0)|²
"""

import copy
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.devices import computes_in_bfloat16
from training.files import whole
from training.lucy_tiny.shards import Latents
from training.lucy_tiny.text_training import learn_captions

# Shares of the batch at the timesteps of a keyframe's four steps; the rest is uniform. The first step, from
# pure noise, has the largest effect.
_KEYFRAME_STEPS = {999: 0.3125, 874: 0.125, 749: 0.125, 624: 0.125}
_PURE_NOISE = 999
_OUTSIDE = 0.15
_DETAIL = 6e-4  # d, as a mean squared error of pixels in 0…1
LEARNING_RATE = 8e-4


class Training:
    """The networks, their moving average, and the seconds that they have been trained.

    scale: (4,), the standard deviations s above.
    seconds: total length of the training, at whose end the learning rate is 0. `load` resumes a stopped run.
    learning_rate: the highest.
    """

    def __init__(
        self,
        pipeline: Any,
        latents: Latents,
        scale: np.ndarray,
        seconds: float,
        device: torch.device,
        seed: int = 0,
        learning_rate: float = LEARNING_RATE,
    ):
        self.seconds, self.device = seconds, device
        self.networks = nn.ModuleDict({"unet": pipeline.unet, "text_encoder": pipeline.text_encoder})
        self.networks.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.networks).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(
            self.networks.parameters(), lr=learning_rate, weight_decay=1e-3, fused=True
        )
        self._learning_rate = learning_rate
        self.elapsed, self.step, self.loss = 0.0, 0, float("nan")
        if device.type == "cpu":
            pipeline.unet.set_attn_processor(_FullPrecisionAttention())
        variances = torch.from_numpy(scale).to(device) ** 2
        self._weights = (variances / variances.mean())[:, None, None]
        # For latents, since e is a mean over 4 channels and not over 192 values in −1…1.
        self._detail = 192 * _DETAIL / float(variances.mean())
        self._alphas = pipeline.scheduler.alphas_cumprod.to(device)
        self._batch = 128 if device.type == "cuda" else 16
        self._half = computes_in_bfloat16(device)
        self._generator = torch.Generator(device).manual_seed(seed)
        self._target, self._composite, self._mask = (
            torch.from_numpy(array).to(device) for array in (latents.target, latents.composite, latents.mask)
        )
        tokens = pipeline.tokenizer(
            latents.captions, padding="max_length", truncation=True, return_tensors="pt"
        )
        self._input_ids = tokens.input_ids.to(device)

    def learn_captions(self) -> float:
        """Train the text encoder first, unless the run is resumed; see `text_training`."""
        data = self._input_ids, self._target, self._composite, self._mask
        modules = self.networks["text_encoder"], self.networks["unet"].add_embedding
        unexplained = learn_captions(*modules, *data, self._generator)
        self.average.load_state_dict(self.networks.state_dict())
        return unexplained

    def compile(self) -> None:
        """Compile the UNet. It takes minutes (cached by torch), then a step takes two thirds of its time."""
        self.networks["unet"].compile(dynamic=False)

    def run(self, on_step: Callable[["Training"], None]) -> None:
        """Train until the time is over. on_step: called after each step."""
        self.networks.train()
        while self.elapsed < self.seconds:
            began = time.monotonic()
            share = self.elapsed / self.seconds
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate * min(1.0, (self.step + 1) / 100) * (1 - share) + 1e-6
            self._learn()
            self.step += 1
            self.elapsed += time.monotonic() - began
            on_step(self)

    def _learn(self) -> None:
        rows = torch.randint(len(self._target), (self._batch,), device=self.device, generator=self._generator)
        x_0, c = self._target[rows].float(), self._composite[rows].float()
        m = self._mask[rows].float()
        t = torch.randint(len(self._alphas), (self._batch,), device=self.device, generator=self._generator)
        counts = [round(share * self._batch) for share in _KEYFRAME_STEPS.values()]
        for begin, count, step in zip(accumulate(counts, initial=0), counts, _KEYFRAME_STEPS, strict=False):
            t[begin : begin + count] = step
        noise = torch.randn(x_0.shape, device=self.device, generator=self._generator)
        with self._autocast():
            text = self.networks["text_encoder"](self._input_ids[rows])[0]
        sampled = slice(counts[0], None, 2)  # pure noise comes first
        start = x_0.clone()
        start[sampled], noise[sampled] = self._sample(*(values[sampled] for values in (noise, t, m, c, text)))
        signal, spread = self._levels(t)
        z_t = signal * start + spread * noise
        error = signal * z_t - spread * self._predict(z_t, t, m, c, text) - x_0
        # An error of x_0 is one of v, times `spread`.
        divisor = spread.clone()
        divisor[sampled] = 1
        where = _OUTSIDE + m
        e = (where * self._weights * (error / divisor) ** 2).mean(dim=(1, 2, 3)) / where.mean(dim=(1, 2, 3))
        loss = self._detail * torch.log1p(e / self._detail).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
        self.optimizer.step()
        self._follow()
        if self.step % 20 == 0:  # reading it waits for the device
            self.loss = loss.item()

    @torch.no_grad()
    def _sample(self, noise: Tensor, t: Tensor, m: Tensor, c: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """x̂_0 and ε̂ of DDIM (Song et al., 2021, arXiv:2010.02502) at t: for every second row after one step
        from pure noise, for the others after one more step from a random timestep."""
        guess = -self._predict(noise, torch.full_like(t, _PURE_NOISE), m, c, text)
        noise, twice = noise.clone(), slice(1, None, 2)
        share = torch.rand(len(t[twice]), device=self.device, generator=self._generator)
        between = t[twice] + (share * (_PURE_NOISE - t[twice])).long()
        signal, spread = self._levels(between)
        z = signal * guess[twice] + spread * noise[twice]
        v = self._predict(z, between, m[twice], c[twice], text[twice])
        guess[twice], noise[twice] = signal * z - spread * v, spread * z + signal * v
        return guess, noise

    def _levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(ᾱ_t) and sqrt(1 − ᾱ_t), (B, 1, 1, 1) each."""
        alphas = self._alphas[t][:, None, None, None]
        return alphas.sqrt(), (1 - alphas).sqrt()

    def _predict(self, z_t: Tensor, t: Tensor, m: Tensor, c: Tensor, text: Tensor) -> Tensor:
        """v, float32."""
        sample = torch.cat([z_t, m, c], dim=1).contiguous(memory_format=torch.channels_last)
        with self._autocast():
            v: Tensor = self.networks["unet"](sample, t, text, return_dict=False)[0]
        return v.float()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._half)

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the moving average (Polyak), whose window is short at first."""
        decay = min(0.9995, (1 + self.step) / (20 + self.step))
        average: list[Tensor] = [*self.average.parameters()]
        torch._foreach_lerp_(average, [*self.networks.parameters()], 1 - decay)

    def save(self, path: Path) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("networks", "average", "optimizer")}
        with whole(path) as file:
            torch.save(state | {"elapsed": self.elapsed, "step": self.step}, file)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.elapsed, self.step = state["elapsed"], state["step"]


class _FullPrecisionAttention:
    """diffusers' attention with the products of its heads in float32. On a CPU the backward pass of torch's
    bfloat16 kernel takes four times as long, a quarter of a training step."""

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projected = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        # (B, tokens, heads·d) → (B, heads, tokens, d)
        heads = (x.unflatten(2, (attn.heads, -1)).transpose(1, 2).float() for x in projected)
        with torch.autocast("cpu", enabled=False):
            attended = functional.scaled_dot_product_attention(*heads)
        joined: Tensor = attn.to_out[0](attended.transpose(1, 2).flatten(2))
        return joined


def as_pixels(decoded: Tensor) -> Any:
    """(B, 3, H, W) in −1…1 → (B, H, W, 3) sRGB uint8."""
    picture = ((decoded.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return picture.permute(0, 2, 3, 1).cpu().numpy()
