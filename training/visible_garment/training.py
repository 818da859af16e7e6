"""Trains the network for a given time; a stopped run goes on from its last state.

loss = mean of w · BCE over the pixels, of `drawn` on opaque canvases, of `visible` where the garment is drawn

What is served is the moving average of the weights.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.visible_garment.composing import Sample, cropped, make_sample
from training.visible_garment.network import VisibleGarment
from training.visible_garment.scenes import Scene

# Scenes, and the share of the samples that comes from them.
Sources = list[tuple[Sequence[Scene], float]]

BATCH = 24
# New samples for each batch, and the side of a part in pixels.
_NEW, _SIDE = 3, 128
_LEARNING_RATE = 2e-3
_AVERAGED = 0.998  # of the average that each step keeps
_SAVE_EVERY = 60.0  # seconds


class Training:
    """The network, its moving average, and the seconds that they have been trained.

    seconds: the length of the training, at whose end the learning rate is 0.
    """

    def __init__(self, seconds: float, seed: int = 0, learning_rate: float = _LEARNING_RATE):
        torch.manual_seed(seed)
        self.seconds, self._rate = seconds, learning_rate
        self.network = VisibleGarment().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._optimizer = torch.optim.AdamW(self.network.parameters(), lr=learning_rate, weight_decay=1e-3)
        self.elapsed, self.step, self.loss = 0.0, 0, math.nan
        # Other processors emulate bfloat16 with float32, which is slower.
        self._half = torch.cpu.get_capabilities().get("avx512_bf16", False)

    def run_step(self, samples: list[Sample]) -> None:
        rate = self._rate * min(1.0, (self.step + 1) / 100) * max(0.02, 1 - self.elapsed / self.seconds)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        planes = torch.from_numpy(np.stack([one.planes for one in samples])).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            logits = self.network(planes.float() / 255)
        loss = _loss(logits.float(), samples)
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
        unfinished = path.with_name(f".{path.name}.part")
        state = {name: getattr(self, name) for name in ("elapsed", "step", "loss")}
        networks = {name: getattr(self, name).state_dict() for name in ("network", "average")}
        torch.save(state | networks | {"optimizer": self._optimizer.state_dict()}, unfinished)
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.elapsed, self.step, self.loss = (state[name] for name in ("elapsed", "step", "loss"))
        for name in ("network", "average"):
            getattr(self, name).load_state_dict(state[name])
        self._optimizer.load_state_dict(state["optimizer"])


def train(read: Callable[[], Sources], minutes: float, work: Path, seed: int = 0) -> Training:
    """Train for `minutes` in all, less what a stopped run in `work` has done.

    read: gives the scenes; it is called again now and then, since more may have been made.
    """
    cv2.setNumThreads(1)
    work.mkdir(parents=True, exist_ok=True)
    training, state = Training(60 * minutes, seed), work / "state.pt"
    if state.exists():
        training.load(state)
    mixture = Mixture(np.random.default_rng([seed, training.step]))
    sources = read()
    began, saved = time.monotonic() - training.elapsed, training.elapsed
    while training.elapsed < training.seconds:
        training.run_step(mixture.batch(sources))
        training.elapsed = time.monotonic() - began
        if training.elapsed - saved > _SAVE_EVERY or training.elapsed >= training.seconds:
            saved = training.elapsed
            training.save(state)
            with (work / "training.jsonl").open("a") as log:
                entry = {"step": training.step, "seconds": round(saved), "loss": round(training.loss, 5)}
                log.write(json.dumps(entry) + "\n")
            sources = read()
    return training


class Mixture:
    """Batches from samples of which a few are new each time: making one takes as long as training on three.

    kept: so many samples are drawn from, one and a half megabytes each.
    """

    def __init__(self, rng: np.random.Generator, kept: int = 400):
        self._rng, self._kept = rng, kept
        self._samples: list[Sample] = []

    def batch(self, sources: Sources) -> list[Sample]:
        """Parts of BATCH samples."""
        shares = np.array([share for _, share in sources])
        missing = BATCH - len(self._samples)
        for number in self._rng.choice(len(sources), max(_NEW, missing), p=shares / shares.sum()):
            scenes = sources[number][0]
            sample = make_sample(scenes[int(self._rng.integers(len(scenes)))], self._rng)
            if len(self._samples) < self._kept:
                self._samples.append(sample)
            else:
                self._samples[int(self._rng.integers(self._kept))] = sample
        chosen = self._rng.choice(len(self._samples), BATCH, replace=False)
        return [cropped(self._samples[number], _SIDE, self._rng) for number in chosen]


def _loss(logits: Tensor, samples: list[Sample]) -> Tensor:
    loss = torch.zeros(())
    for channel, name in enumerate(("drawn", "visible")):
        wanted, weight = (
            torch.from_numpy(np.stack([getattr(one, part) for one in samples])).float()
            for part in (name, f"{name}_weight")
        )
        costs = functional.binary_cross_entropy_with_logits(
            logits[:, channel], wanted / 255, reduction="none"
        )
        loss = loss + (weight * costs).sum() / weight.sum().clamp(min=1)
    return loss
