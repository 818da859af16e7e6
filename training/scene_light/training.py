"""The training loop: one thread or a GPU, resumable, with a moving average of the weights."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.light.light_reader import LightReader
from training.devices import computes_in_bfloat16
from training.files import whole
from training.scene_light.augmentation import Batch, varied
from training.scene_light.learning import losses
from training.scene_light.level_fit import fit_level
from training.scene_light.shards import collect, read
from training.scene_light.validation import Figures, validate
from training.scene_light.weights import read_weights

BATCH, BATCH_ON_A_GPU = 32, 256
LEARNING_RATE = 2e-3
_DECAY = 0.998
_REPORT_EVERY = 60.0  # seconds
# Batches that the level's linear part is fitted to.
_FITTED = 16
# The path-traced samples' share of a batch, if there are many of them, and how many make half of it.
_PHOTOGRAPHS, _HALF = 0.85, 600


class Training:
    """
    work: the folder of samples, states and the log.
    seconds: total length, at whose end the learning rate is 0.
    """

    def __init__(self, work: Path, seconds: float, seed: int = 0, device: str | torch.device = "cpu"):
        torch.manual_seed(seed)
        self.work, self.seconds, self.device = work, seconds, torch.device(device)
        self.network = LightReader().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
        self.elapsed, self.step = 0.0, 0
        self._generator = torch.Generator(self.device).manual_seed(seed)
        self._rows = BATCH if self.device.type == "cpu" else BATCH_ON_A_GPU
        self._half = computes_in_bfloat16(self.device)

    @property
    def state(self) -> Path:
        return self.work / "state.pt"

    def run(self, photographs: Path | None, held_out: dict[str, np.ndarray]) -> None:
        """photographs: a folder of path-traced scenes that may still grow. held_out: samples by name."""
        rows = self._read(photographs)
        if self.step == 0:
            self._fit_level(rows)
        shown, last = time.monotonic(), time.monotonic()
        sums: list[Tensor] = []
        while self.elapsed < self.seconds:
            share = self.elapsed / self.seconds
            rate = LEARNING_RATE * min(1.0, (self.step + 1) / 100) * (1 - share) + 1e-6
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            sums.append(self._learn(rows))
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            if now - shown > _REPORT_EVERY or self.elapsed >= self.seconds:
                self._tell(sums, held_out, rows)
                shown, sums = time.monotonic(), []
                rows = self._read(photographs)
                last = time.monotonic()

    def _read(self, photographs: Path | None) -> dict[str, Tensor]:
        if photographs is not None and photographs.exists():
            collect(self.work, photographs)
        found = {kind: read(self.work, kind) for kind in ("painted", "photographs")}
        if not any(map(len, found.values())):
            raise FileNotFoundError(
                f"{self.work} has no scenes, and {photographs} has none: give more than 0 of --painted"
            )
        return {kind: torch.from_numpy(rows).to(self.device) for kind, rows in found.items() if len(rows)}

    def _fit_level(self, rows: dict[str, Tensor]) -> None:
        fit_level(self.network, [self._batch(rows) for _ in range(_FITTED)])
        self.average.plain.load_state_dict(self.network.plain.state_dict())

    def _batch(self, rows: dict[str, Tensor]) -> Batch:
        counts = dict.fromkeys(rows, self._rows)
        if len(rows) == 2:
            known = len(rows["photographs"])
            counts = {"photographs": round(_PHOTOGRAPHS * self._rows * known / (known + _HALF))}
            counts["painted"] = self._rows - counts["photographs"]
        parts = []
        for kind, count in counts.items():
            chosen = torch.randint(len(rows[kind]), (count,), generator=self._generator, device=self.device)
            parts.append(rows[kind][chosen])
        return varied(torch.cat(parts), self._generator)

    def _learn(self, rows: dict[str, Tensor]) -> Tensor:
        """The batch's losses, (3,): decibels, level, shading."""
        batch = self._batch(rows)
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            log_light, spread, _ = self.network.regress(
                batch.scene.contiguous(memory_format=torch.channels_last)
            )
        found = losses(log_light.float(), spread.float(), batch)
        self.optimizer.zero_grad()
        found.total.mean().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self._follow()
        self.step += 1
        # Not as numbers: those would wait for the GPU.
        return torch.stack([it.detach().mean() for it in (found.decibels, found.level, found.shading)])

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(_DECAY, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_([*self.average.parameters()], [*self.network.parameters()], 1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.network.buffers(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)

    def _tell(self, sums: list[Tensor], held_out: dict[str, np.ndarray], rows: dict[str, Tensor]) -> None:
        entry: dict[str, Any] = {"step": self.step, "seconds": round(self.elapsed)}
        entry |= {kind: len(it) for kind, it in rows.items()}
        entry["train"] = [round(value, 3) for value in torch.stack(sums).mean(dim=0).tolist()]
        for name, samples in held_out.items():
            figures: Figures = validate(self.average, samples)
            entry[name] = figures.summary()
        with (self.work / "training.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")
        print(json.dumps(entry), flush=True)
        self.save()

    def save(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer")}
        with whole(self.state) as file:
            torch.save(state | {"elapsed": self.elapsed, "step": self.step}, file)

    def begin(self, checkpoint: Path) -> None:
        """With the weights of a checkpoint's light reader, see `weights`."""
        for network in (self.network, self.average):
            read_weights(network, checkpoint)

    def load(self, onwards: bool = False) -> None:
        """Go on where the run in `work` stopped. onwards: with the weights alone, from the first step.

        Raises FileNotFoundError if there was none.
        """
        if not self.state.exists():
            raise FileNotFoundError(
                f"{self.work} has no training: `python -m training.scene_light train` begins one"
            )
        saved: dict[str, Any] = torch.load(self.state, self.device, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        if not onwards:
            self.optimizer.load_state_dict(saved["optimizer"])
            self.elapsed, self.step = saved["elapsed"], saved["step"]
