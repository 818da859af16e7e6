"""Trains the network for a given time; a stopped run goes on from its last state.

loss = mean of w · BCE over the pixels, of `drawn` on opaque canvases, of `visible` where the garment is drawn

What is served is the moving average of the weights.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.devices import computes_in_bfloat16
from training.files import whole
from training.visible_garment.composing import Sample, cropped, make_sample
from training.visible_garment.network import VisibleGarment
from training.visible_garment.scenes import Scene

# Scenes, and the share of the samples that comes from them.
Sources = list[tuple[Sequence[Scene], float]]

BATCH, BATCH_ON_A_GPU = 24, 192
# New samples for each batch, and the side of a part in pixels.
_NEW, _SIDE = 3, 128
_LEARNING_RATE = 2e-3
_AVERAGED = 0.998  # of the average that each step keeps
_SAVE_EVERY = 60.0  # seconds


class Batch(NamedTuple):
    """planes: (N, H, W, PLANES) uint8. drawn, visible, and their weights: (N, H, W). See Sample."""

    planes: Tensor
    drawn: Tensor
    visible: Tensor
    drawn_weight: Tensor
    visible_weight: Tensor


class Training:
    """The network, its moving average, and the seconds that they have been trained.

    seconds: the length of the training, at whose end the learning rate is 0.
    """

    def __init__(
        self,
        seconds: float,
        seed: int = 0,
        learning_rate: float = _LEARNING_RATE,
        device: str | torch.device = "cpu",
    ):
        torch.manual_seed(seed)
        self.seconds, self._rate, self.device = seconds, learning_rate, torch.device(device)
        self.network = VisibleGarment().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._optimizer = torch.optim.AdamW(self.network.parameters(), lr=learning_rate, weight_decay=1e-3)
        self.elapsed, self.step, self.loss = 0.0, 0, math.nan
        self._half = computes_in_bfloat16(self.device)

    def run_step(self, batch: Batch) -> None:
        rate = self._rate * min(1.0, (self.step + 1) / 100) * max(0.02, 1 - self.elapsed / self.seconds)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        batch = Batch(*(part.to(self.device, non_blocking=True) for part in batch))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            logits = self.network(batch.planes.permute(0, 3, 1, 2).float() / 255)
        loss = _loss(logits.float(), batch)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimizer.step()
        self.step += 1
        self.loss = (
            float(loss.detach()) if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * float(loss.detach())
        )
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        kept = min(_AVERAGED, (1 + self.step) / (10 + self.step))
        for mean, now in zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - kept)
            else:
                mean.copy_(now)

    def save(self, path: Path) -> None:
        state = {name: getattr(self, name) for name in ("elapsed", "step", "loss")}
        networks = {name: getattr(self, name).state_dict() for name in ("network", "average")}
        with whole(path) as file:
            torch.save(state | networks | {"optimizer": self._optimizer.state_dict()}, file)

    def load(self, path: Path) -> None:
        """Raises FileNotFoundError if there was no training."""
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: `train` writes it")
        state = torch.load(path, self.device, weights_only=True)
        self.elapsed, self.step, self.loss = (state[name] for name in ("elapsed", "step", "loss"))
        for name in ("network", "average"):
            getattr(self, name).load_state_dict(state[name])
        self._optimizer.load_state_dict(state["optimizer"])


def train(
    read: Callable[[], Sources],
    minutes: float,
    work: Path,
    seed: int = 0,
    device: str | torch.device = "cpu",
    workers: int = 0,
) -> Training:
    """Train for `minutes` in all, less what a stopped run in `work` has done.

    read: gives the scenes; it is called again now and then, since more may have been made.
    workers: processes that make the batches; 0: this one does.
    """
    cv2.setNumThreads(1)
    work.mkdir(parents=True, exist_ok=True)
    training, state = Training(60 * minutes, seed, device=device), work / "state.pt"
    if state.exists():
        training.load(state)
    rows = BATCH if training.device.type == "cpu" else BATCH_ON_A_GPU
    began, saved = time.monotonic() - training.elapsed, training.elapsed
    while training.elapsed < training.seconds:
        mixture = Mixture(read(), rows, [seed, training.step])
        for batch in DataLoader(
            mixture, batch_size=None, num_workers=workers, pin_memory=training.device.type == "cuda"
        ):
            training.run_step(batch)
            training.elapsed = time.monotonic() - began
            if training.elapsed - saved > _SAVE_EVERY or training.elapsed >= training.seconds:
                saved = training.elapsed
                training.save(state)
                with (work / "training.jsonl").open("a") as log:
                    entry = {"step": training.step, "seconds": round(saved), "loss": round(training.loss, 5)}
                    log.write(json.dumps(entry) + "\n")
                if workers == 0 or training.elapsed >= training.seconds:
                    break
    return training


class Mixture(IterableDataset):
    """Batches of parts of samples, of which a few are new each time: making one takes as long as training on
    three. Without end.

    seed: numbers; each process of a DataLoader adds its own.
    kept: so many samples are drawn from, one and a half megabytes each.
    """

    def __init__(self, sources: Sources, rows: int, seed: list[int], kept: int = 400):
        self._sources, self._rows, self._seed, self._kept = sources, rows, seed, max(kept, rows)
        self._samples: list[Sample] = []

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([*self._seed, worker.id if worker else 0])
        while True:
            yield self._batch(rng)

    def _batch(self, rng: np.random.Generator) -> Batch:
        shares = np.array([share for _, share in self._sources])
        new = max(self._rows * _NEW // BATCH, self._rows - len(self._samples))
        for number in rng.choice(len(self._sources), new, p=shares / shares.sum()):
            scenes = self._sources[number][0]
            sample = make_sample(scenes[int(rng.integers(len(scenes)))], rng)
            if len(self._samples) < self._kept:
                self._samples.append(sample)
            else:
                self._samples[int(rng.integers(self._kept))] = sample
        chosen = rng.choice(len(self._samples), self._rows, replace=False)
        parts = [cropped(self._samples[number], _SIDE, rng) for number in chosen]
        return Batch(
            *(torch.from_numpy(np.stack([getattr(one, name) for one in parts])) for name in Batch._fields)
        )


def _loss(logits: Tensor, batch: Batch) -> Tensor:
    loss = logits.new_zeros(())
    for channel, name in enumerate(("drawn", "visible")):
        wanted, weight = getattr(batch, name).float(), getattr(batch, f"{name}_weight")
        costs = functional.binary_cross_entropy_with_logits(
            logits[:, channel], wanted / 255, reduction="none"
        )
        loss = loss + (weight * costs).sum() / weight.sum().clamp(min=1)
    return loss
