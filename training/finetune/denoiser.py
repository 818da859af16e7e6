"""What the denoiser learns: the photograph's latents, from noisy ones and what the server shows it.

z_t = sqrt(ᾱ_t)·x_0 + sqrt(1 − ᾱ_t)·ε
y   = ε, x_0 or v = sqrt(ᾱ_t)·ε − sqrt(1 − ᾱ_t)·x_0 (Salimans & Ho, 2022), as the checkpoint predicts
loss = mean of (o + m)·s²·(UNet(z_t, c, t) − y)²

s, one for each channel, is how much the decoder's pixels change by it: lucy-tiny's channels differ by far.
Half of the timesteps are those that the server's recipes run; the others are any.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from families.tuning import Lesson
from pipeline.denoising.schedule import Schedulers
from training.devices import computes_in_bfloat16
from training.finetune.tunable import Tunable
from training.lucy_tiny.sheets import write_sheet

_OUTSIDE = 0.15  # o
# Captions that are replaced by what a request has that names no fabric, and lessons without conditions where
# the recipes guide.
_UNNAMED, _UNGUIDED = 0.5, 0.1
_SERVED = 0.5
# Noise of the validation: drawn once, so that its figures can be compared.
_DRAWS = 4
_SHOWN = 6


class Denoiser:
    """One part of a run; see `loop.Part`. lessons, captions: of each variant of each row."""

    name = "denoiser"

    def __init__(
        self,
        tunable: Tunable,
        training: tuple[Sequence[Lesson], Sequence[str]],
        validation: tuple[Sequence[Lesson], Sequence[str]],
        batch: int,
    ):
        self._tunable, self._batch = tunable, batch
        self.networks = {name: it for name, it in tunable.networks.items() if name != "light_reader"}
        scheduler = DDIMScheduler.from_config(dict(tunable.loaded.scheduler_config))
        self._kind: str = scheduler.config.prediction_type
        self._alphas: Tensor = scheduler.alphas_cumprod.to(tunable.device)
        self._served = self._served_timesteps()
        self._guided = any(recipe.guided for recipe in tunable.config.modes.values())
        self._rows, self._captions = self._stacked(training[0]), list(training[1])
        self._held_out, self._told = self._stacked(validation[0]), list(validation[1])
        self._unnamed = " ".join(tunable.config.prompt.replace("{fabric}", "").split())
        self._importance = self._channel_importance()
        self._half = computes_in_bfloat16(tunable.device)

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(self._captions), (self._batch,), generator=generator).tolist()
        lesson = _take(self._rows, rows)
        spared = torch.rand(self._batch, generator=generator) < (_UNGUIDED if self._guided else 0)
        unnamed = torch.rand(self._batch, generator=generator) < _UNNAMED
        negative = self._tunable.config.negative_prompt
        captions = [
            negative if free else self._unnamed if short else self._captions[row] or self._unnamed
            for row, free, short in zip(rows, spared, unnamed, strict=True)
        ]
        channels = torch.where(
            spared.to(lesson.channels.device)[:, None, None, None],
            self._tunable.tuning.unconditioned(lesson.channels),
            lesson.channels,
        )
        t = torch.randint(len(self._alphas), (self._batch,), generator=generator)
        served = self._served[torch.randint(len(self._served), (self._batch,), generator=generator)]
        t = torch.where(torch.rand(self._batch, generator=generator) < _SERVED, served, t)
        noise = torch.randn(lesson.clean.shape, generator=generator)
        shown = Lesson(lesson.clean, channels, lesson.weight)
        return self._error(shown, captions, t, noise).mean()

    @torch.no_grad()
    def validate(self) -> float:
        generator = torch.Generator().manual_seed(0)
        total, count = 0.0, 0
        for start in range(0, len(self._told), self._batch):
            rows = list(range(start, min(start + self._batch, len(self._told))))
            lesson = _take(self._held_out, rows)
            captions = [self._told[row] or self._unnamed for row in rows]
            for draw in range(_DRAWS):
                t = self._served[
                    (torch.arange(len(rows)) + draw * len(self._served) // _DRAWS) % len(self._served)
                ]
                noise = torch.randn(lesson.clean.shape, generator=generator)
                total += float(self._error(lesson, captions, t, noise).sum())
                count += len(rows)
        return total / count

    @torch.no_grad()
    def sheet(self, path: Path) -> None:
        """Of rows that are measured: what is shown, x_0 predicted at a keyframe's first step, the photo."""
        rows = list(range(min(_SHOWN, len(self._told))))
        lesson = _take(self._held_out, rows)
        t = self._served[:1].expand(len(rows))
        noise = torch.randn(lesson.clean.shape, generator=torch.Generator().manual_seed(0))
        z, signal, spread = self._noised(lesson.clean, t, noise)
        output = self._predict(z, t, lesson.channels, [self._told[row] or self._unnamed for row in rows])
        guess = {
            "epsilon": lambda: (z - spread * output) / signal.clamp(min=1e-3),
            "v_prediction": lambda: signal * z - spread * output,
            "sample": lambda: output,
        }[self._kind]()
        columns = [self._pixels(it) for it in (lesson.channels[:, -4:], guess, lesson.clean)]
        write_sheet([list(row) for row in zip(*columns, strict=True)], path)

    def _error(self, lesson: Lesson, captions: Sequence[str], t: Tensor, noise: Tensor) -> Tensor:
        """(B,)"""
        z, signal, spread = self._noised(lesson.clean, t, noise)
        noise = noise.to(z.device)
        wanted = {
            "epsilon": lambda: noise,
            "v_prediction": lambda: signal * noise - spread * lesson.clean,
            "sample": lambda: lesson.clean,
        }[self._kind]()
        error = self._importance * (self._predict(z, t, lesson.channels, captions) - wanted) ** 2
        where = _OUTSIDE + lesson.weight
        return (where * error).mean(dim=(1, 2, 3)) / where.mean(dim=(1, 2, 3))

    def _noised(self, clean: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z_t, sqrt(ᾱ_t) and sqrt(1 − ᾱ_t)."""
        alphas = self._alphas[t.to(self._alphas.device)][:, None, None, None]
        signal, spread = alphas.sqrt(), (1 - alphas).sqrt()
        return signal * clean + spread * noise.to(clean.device), signal, spread

    def _predict(self, z: Tensor, t: Tensor, channels: Tensor, captions: Sequence[str]) -> Tensor:
        device = self._tunable.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._half):
            conditions = self._tunable.conditions(self._tunable.tokens(captions), len(captions))
            sample = torch.cat([z, channels], dim=1)
            return self._tunable.predict(sample, t.to(device, torch.float32), conditions).float()

    def _served_timesteps(self) -> Tensor:
        """Of every mode's recipe, a keyframe's first."""
        schedulers = Schedulers(dict(self._tunable.loaded.scheduler_config))
        found = [schedulers.schedule(recipe).timesteps for recipe in self._tunable.config.modes.values()]
        return torch.cat([it.float().round().long() for it in found]).clamp(0, len(self._alphas) - 1).cpu()

    def _channel_importance(self) -> Tensor:
        """s², (1, 4, 1, 1), with a mean of 1: the change of the decoded pixels by each channel."""
        start = self._rows.clean[:1, :, : self._rows.weight.shape[2]]
        base, changes = self._tunable.decode(start), []
        for channel in range(start.shape[1]):
            moved = start.clone()
            moved[:, channel] += 0.25
            changes.append(((self._tunable.decode(moved) - base) ** 2).mean())
        found = torch.stack(changes)
        return (found / found.mean())[None, :, None, None]

    def _stacked(self, lessons: Sequence[Lesson]) -> Lesson:
        names = ("clean", "channels", "weight")
        return Lesson(
            *(torch.cat([getattr(it, name) for it in lessons]).to(self._tunable.device) for name in names)
        )

    def _pixels(self, latents: Tensor) -> np.ndarray:
        decoded = self._tunable.decode(latents)
        pixels = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        return np.asarray(pixels.permute(0, 2, 3, 1).cpu())


def _take(lesson: Lesson, rows: Sequence[int]) -> Lesson:
    return Lesson(lesson.clean[rows], lesson.channels[rows], lesson.weight[rows])
