"""What the light reader learns: the light that the photo shows on the render.

Where a checkpoint has one, it decides the level and the colour of what is served, and the denoiser's picture
only adds shading. What is served is `forward`, the light that was read as far as the reader trusts it, so
that is what is trained and measured. So that it does not forget other cloths, half of each batch are painted
scenes of the default checkpoint's own training, on which its answer must stay what it was.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from training.finetune.tunable import Tunable
from training.lucy_tiny.sheets import write_sheet
from training.scene_light.augmentation import plain, varied
from training.scene_light.learning import losses, relit
from training.scene_light.samples import of_painted

# The weight of what must stay.
_KEPT = 4.0
# Painted scenes that are remembered, and how many of them are only measured; their first seed, which training
# of the default checkpoint and its evaluations do not use.
_REMEMBERED, _MEASURED = 80, 16
_FIRST = 6_000_000
_SHOWN, _SIDE = 6, 192


class Light:
    """One part of a run; see `loop.Part`. scenes: (N, 14, 96, 96) uint8, of examples.Prepared."""

    name = "light reader"

    def __init__(
        self, tunable: Tunable, training: Sequence[np.ndarray], validation: Sequence[np.ndarray], batch: int
    ):
        self._reader, self._batch, self._device = tunable.light_reader, batch, tunable.device
        self.networks = {"light_reader": self._reader}
        seeds = tqdm(range(_FIRST, _FIRST + _REMEMBERED), desc="other cloths", unit="scene")
        remembered = [of_painted(seed) for seed in seeds]
        self._rows, self._held_out, self._others, self._others_held_out = (
            torch.from_numpy(np.stack(it)).to(self._device)
            for it in (training, validation, remembered[_MEASURED:], remembered[:_MEASURED])
        )
        self._before = copy.deepcopy(self._reader).eval().requires_grad_(False)

    def loss(self, generator: torch.Generator) -> Tensor:
        batch = varied(self._picked(self._rows, generator), self._on_device(generator))
        log_light, spread, brightness = self._reader.regress(batch.scene)
        served, _ = self._reader.trusted(batch.scene, log_light, spread, brightness)
        # Trust is learnt from what is served; here an expected error that follows the errors would end it.
        read = losses(log_light, spread.detach(), batch).total
        learnt = (read + losses(served, spread.detach(), batch).decibels).mean()
        return learnt + _KEPT * self._forgotten(generator)

    def _forgotten(self, generator: torch.Generator) -> Tensor:
        """How much the answer has changed for other cloths: a mean absolute difference of logarithms, and of
        confidences."""
        other = varied(self._picked(self._others, generator), self._on_device(generator)).scene
        with torch.no_grad():
            before, trust_before = self._before(other)
        after, trust = self._reader(other)
        inside = functional.avg_pool2d(other[:, 6:7], 2)
        changed = ((after - before).abs() * inside).sum() / (3 * inside.sum() + 1e-3)
        return changed + (trust - trust_before).abs().mean()

    @torch.no_grad()
    def validate(self) -> float:
        """The served error in the rows' cloths and in others, which count alike."""
        errors = []
        for scenes in (self._held_out, self._others_held_out):
            batch = plain(scenes)
            served, _ = self._reader(batch.scene)
            errors.append(losses(served, torch.ones_like(served[:, :2, 0, 0]), batch).decibels.mean())
        return float(torch.stack(errors).mean())

    @torch.no_grad()
    def sheet(self, path: Path) -> None:
        """Of scenes that are measured: the render, in the light before, in the light now, the photo."""
        batch = plain(self._held_out[:_SHOWN])
        lights = [network(batch.scene)[0] for network in (self._before, self._reader)]
        pictures = [batch.scene[:, 3:6], *(relit(batch.scene, light) for light in lights), batch.target]
        columns = [_shown(picture * batch.visible) for picture in pictures]
        write_sheet([list(row) for row in zip(*columns, strict=True)], path)

    def _picked(self, scenes: Tensor, generator: torch.Generator) -> Tensor:
        return scenes[torch.randint(len(scenes), (self._batch,), generator=generator).to(self._device)]

    def _on_device(self, generator: torch.Generator) -> torch.Generator:
        if self._device.type == "cpu":
            return generator
        seed = int(torch.randint(2**31, (1,), generator=generator))
        return torch.Generator(self._device).manual_seed(seed)


def _shown(picture: Tensor) -> np.ndarray:
    larger = functional.interpolate(picture.clamp(0, 1), size=(_SIDE, _SIDE), mode="bilinear")
    return np.asarray((255 * larger).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())
