"""What the light reader learns: the light that the photo shows on the render.

Where a checkpoint has one, it decides the level and the colour of what is served, and the denoiser's picture
only adds shading. So that it does not forget other cloths, half of each batch shows them, too: the same
scenes with a render of plain colours, on which its answer must stay what it was.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.light.light_reader import to_code
from training.finetune.tunable import Tunable
from training.lucy_tiny.sheets import write_sheet
from training.scene_light.augmentation import plain, varied
from training.scene_light.learning import losses, relit

# The weight of what must stay.
_KEPT = 4.0
_SHOWN, _SIDE = 6, 192


class Light:
    """One part of a run; see `loop.Part`. scenes: (N, 14, 96, 96) uint8, of examples.Prepared."""

    name = "light reader"

    def __init__(
        self, tunable: Tunable, training: Sequence[np.ndarray], validation: Sequence[np.ndarray], batch: int
    ):
        self._reader, self._batch, self._device = tunable.light_reader, batch, tunable.device
        self.networks = {"light_reader": self._reader}
        self._rows, self._held_out = (
            torch.from_numpy(np.stack(it)).to(self._device) for it in (training, validation)
        )
        self._before = copy.deepcopy(self._reader).eval().requires_grad_(False)

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(self._rows), (self._batch,), generator=generator)
        batch = varied(self._rows[rows.to(self._device)], self._on_device(generator))
        log_light, spread, _ = self._reader.regress(batch.scene)
        learnt = losses(log_light, spread, batch).total.mean()
        return learnt + _KEPT * self._forgotten(batch.scene[: (self._batch + 1) // 2], generator)

    def _forgotten(self, scene: Tensor, generator: torch.Generator) -> Tensor:
        """How much the answer has changed for other cloths: a mean absolute difference of logarithms."""
        other = plainly_dressed(scene, generator)
        with torch.no_grad():
            before, spread_before, _ = self._before.regress(other)
        after, spread, _ = self._reader.regress(other)
        inside = functional.avg_pool2d(other[:, 6:7], 2)
        changed = ((after - before).abs() * inside).sum() / (3 * inside.sum() + 1e-3)
        return changed + (spread - spread_before).abs().mean()

    @torch.no_grad()
    def validate(self) -> float:
        batch = plain(self._held_out)
        log_light, spread, _ = self._reader.regress(batch.scene)
        return float(losses(log_light, spread, batch).decibels.mean())

    @torch.no_grad()
    def sheet(self, path: Path) -> None:
        """Of scenes that are measured: the render, in the light before, in the light now, the photo."""
        batch = plain(self._held_out[:_SHOWN])
        lights = [network.regress(batch.scene)[0] for network in (self._before, self._reader)]
        pictures = [batch.scene[:, 3:6], *(relit(batch.scene, light) for light in lights), batch.target]
        columns = [_shown(picture * batch.visible) for picture in pictures]
        write_sheet([list(row) for row in zip(*columns, strict=True)], path)

    def _on_device(self, generator: torch.Generator) -> torch.Generator:
        if self._device.type == "cpu":
            return generator
        seed = int(torch.randint(2**31, (1,), generator=generator))
        return torch.Generator(self._device).manual_seed(seed)


def plainly_dressed(scene: Tensor, generator: torch.Generator) -> Tensor:
    """The scenes, (B, 11, 96, 96), with a render of one colour and little grain each."""
    count, device = len(scene), scene.device
    colour = torch.exp(-2.2 + 1.1 * torch.randn(count, 1, 1, 1, generator=generator)) * torch.exp(
        0.35 * torch.randn(count, 3, 1, 1, generator=generator)
    )
    grain = torch.exp(0.05 * torch.randn(count, 1, *scene.shape[2:], generator=generator))
    other = scene.clone()
    other[:, 3:6] = to_code((colour * grain).clamp(0.005, 0.9).to(device)) * (scene[:, 6:7] > 0)
    return other


def _shown(picture: Tensor) -> np.ndarray:
    larger = functional.interpolate(picture.clamp(0, 1), size=(_SIDE, _SIDE), mode="bilinear")
    return np.asarray((255 * larger).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())
