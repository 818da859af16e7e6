"""The UNet's training, and the text encoder's with it.

x_0   latents of the photograph          c   latents of the composite
ε     noise, N(0, 1)                     m   1 where the garment is painted
z_t = sqrt(ᾱ_t)·x_0 + sqrt(1 − ᾱ_t)·ε
v   = sqrt(ᾱ_t)·ε − sqrt(1 − ᾱ_t)·x_0              Salimans & Ho (2022), arXiv:2202.00512
loss = (0.15 + m)·|UNet([z_t, m, c], t, text) − v|²

A network that has only seen noised photographs takes each z_t at its word, and over many steps its first
errors grow (exposure bias: Ning et al. 2023, arXiv:2305.15583). So half of the z_t are made of what the UNet
itself guesses from pure noise, x̂_0 = −v̂, as at the second step of sampling; of those the loss is

    (0.15 + m)·|sqrt(ᾱ_t)·z_t − sqrt(1 − ᾱ_t)·UNet([z_t, m, c], t, text) − x_0|²
"""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.lucy_tiny.shards import Latents
from export.lucy_tiny.text_training import learn_captions

# Shares of the batch at the timesteps of a keyframe's four steps; the rest is uniform. The first, pure
# noise, decides most.
_KEYFRAME_STEPS = {999: 0.3125, 749: 0.125, 499: 0.125, 249: 0.125}
_PURE_NOISE = 999
_OWN_GUESSES = 0.5
_OUTSIDE = 0.15
_LEARNING_RATE = 8e-4


class Training:
    """The networks, their moving average, and how long they have been trained.

    seconds: of training in all; the learning rate falls to nothing at their end. A run that was stopped
    goes on from `load`.
    """

    def __init__(self, pipeline: Any, latents: Latents, seconds: float, device: torch.device, seed: int = 0):
        self.seconds, self.device = seconds, device
        self.networks = nn.ModuleDict({"unet": pipeline.unet, "text_encoder": pipeline.text_encoder})
        self.networks.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.networks).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(
            self.networks.parameters(), lr=_LEARNING_RATE, weight_decay=1e-3, fused=True
        )
        self.elapsed, self.step, self.loss = 0.0, 0, float("nan")
        self._alphas = pipeline.scheduler.alphas_cumprod.to(device)
        self._batch = 128 if device.type == "cuda" else 16
        # Elsewhere bfloat16 is computed by way of float32, and slower than it.
        self._half = device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
        self._generator = torch.Generator(device).manual_seed(seed)
        self._target, self._composite, self._mask = (
            torch.from_numpy(array).to(device) for array in (latents.target, latents.composite, latents.mask)
        )
        tokens = pipeline.tokenizer(
            latents.captions, padding="max_length", truncation=True, return_tensors="pt"
        )
        self._input_ids = tokens.input_ids.to(device)

    def learn_captions(self) -> float:
        """What comes before the first step of a training that is not resumed; see `text_training`."""
        data = self._input_ids, self._target, self._composite, self._mask
        modules = self.networks["text_encoder"], self.networks["unet"].add_embedding
        unexplained = learn_captions(*modules, *data, self._generator)
        self.average.load_state_dict(self.networks.state_dict())
        return unexplained

    def run(self, on_step: Callable[["Training"], None]) -> None:
        """Train until the time is over; `on_step` is called after each step."""
        self.networks.train()
        while self.elapsed < self.seconds:
            began = time.monotonic()
            share = self.elapsed / self.seconds
            for group in self.optimizer.param_groups:
                group["lr"] = _LEARNING_RATE * min(1.0, (self.step + 1) / 100) * (1 - share) + 1e-6
            self._learn()
            self.step += 1
            self.elapsed += time.monotonic() - began
            on_step(self)

    def _learn(self) -> None:
        rows = torch.randint(len(self._target), (self._batch,), device=self.device, generator=self._generator)
        x_0, c = self._target[rows].float(), self._composite[rows].float()
        m = self._mask[rows].float()
        t = torch.randint(len(self._alphas), (self._batch,), device=self.device, generator=self._generator)
        begin = 0
        for step, share in _KEYFRAME_STEPS.items():
            count = round(share * self._batch)
            t[begin : begin + count] = step
            begin += count
        noise = torch.randn(x_0.shape, device=self.device, generator=self._generator)
        signal, spread = (
            self._alphas[t].sqrt()[:, None, None, None],
            (1 - self._alphas[t]).sqrt()[:, None, None, None],
        )
        with self._autocast():
            text = self.networks["text_encoder"](self._input_ids[rows])[0]
        chance = torch.rand(len(rows), device=self.device, generator=self._generator)
        own = (chance < _OWN_GUESSES) & (t < _PURE_NOISE)
        start = x_0.clone()
        if own.any():
            with torch.no_grad():
                pure = torch.full_like(t[own], _PURE_NOISE)
                start[own] = -self._predict(noise[own], pure, m[own], c[own], text[own])
        z_t = signal * start + spread * noise
        error = signal * z_t - spread * self._predict(z_t, t, m, c, text) - x_0
        # An error of x_0 is one of v, times `spread`.
        error /= torch.where(own[:, None, None, None], torch.ones_like(spread), spread)
        loss = ((_OUTSIDE + m) * error**2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
        self.optimizer.step()
        self._follow()
        if self.step % 20 == 0:  # reading it waits for the device
            self.loss = loss.item()

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
        """Polyak averaging, short at first."""
        decay = min(0.9995, (1 + self.step) / (20 + self.step))
        average: list[Tensor] = [*self.average.parameters()]
        torch._foreach_lerp_(average, [*self.networks.parameters()], 1 - decay)

    def save(self, path: Path) -> None:
        unfinished = path.with_suffix(".part")
        torch.save(
            {
                "networks": self.networks.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "elapsed": self.elapsed,
                "step": self.step,
            },
            unfinished,
        )
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.elapsed, self.step = state["elapsed"], state["step"]


def as_pixels(decoded: Tensor) -> Any:
    """(B, 3, H, W) in −1…1 → (B, H, W, 3) sRGB uint8."""
    picture = ((decoded.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return picture.permute(0, 2, 3, 1).cpu().numpy()
