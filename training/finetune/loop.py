"""Steps of one part of a run: a moving average, early stop, and a state that a stopped run goes on from."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training.files import whole
from training.finetune.adapters import Average, parameters


class Part(Protocol):
    """networks: with LoRAs, by the prefixes of their tensors."""

    @property
    def name(self) -> str: ...

    @property
    def networks(self) -> Mapping[str, nn.Module]: ...

    def loss(self, generator: torch.Generator) -> Tensor:
        """Of a random batch. generator: of the CPU, so that a run can be repeated."""

    def validate(self) -> float:
        """The error on rows that are not trained: the smaller, the better."""

    def sheet(self, path: Path) -> None:
        """Pictures of some of them."""


@dataclass(frozen=True)
class Course:
    """
    steps: at most. learning_rate: the highest. every: steps between two validations.
    patience: validations without an improvement, after which it stops.
    """

    steps: int
    learning_rate: float
    every: int
    patience: int
    seed: int = 0


class Diverged(RuntimeError):
    """The loss is no number any more."""


class Loop:
    """work: the folder of the state, the log and the sheets."""

    def __init__(self, part: Part, course: Course, work: Path):
        self._part, self._course, self._work = part, course, work
        self._parameters = [it for network in part.networks.values() for it in parameters(network)]
        self._average = Average(self._parameters)
        self._optimizer = torch.optim.AdamW(self._parameters, lr=course.learning_rate, weight_decay=1e-3)
        self._generator = torch.Generator().manual_seed(course.seed)
        self._best: list[Tensor] = [it.clone() for it in self._average.values]
        self.step, self.best_step, self.elapsed = 0, 0, 0.0
        self.before = self.best = math.inf
        self._ended = False

    @property
    def _state(self) -> Path:
        return self._work / f"{self._part.name.replace(' ', '-')}.pt"

    def run(self) -> None:
        """Train until the steps are done or nothing improves; then the networks have the best average.

        A run that was stopped goes on. Raises Diverged.
        """
        self._work.mkdir(parents=True, exist_ok=True)
        if self._state.exists():
            self._load()
        else:
            self.before = self.best = self._part.validate()
            self._tell(self.before, None)
            self._part.sheet(self._work / f"{self._part.name.replace(' ', '-')}-0.jpg")
            self._save()
        bar = tqdm(total=self._course.steps, initial=self.step, desc=self._part.name, unit="step")
        with bar:
            while not self._ended:
                bar.set_postfix(
                    loss=f"{self._learn():.4f}", best=f"{self.best:.4f}", before=f"{self.before:.4f}"
                )
                bar.update()
                if self.step % self._course.every == 0 or self.step == self._course.steps:
                    self._measure()
        with torch.no_grad():
            for mine, best in zip(self._parameters, self._best, strict=True):
                mine.copy_(best)

    def _learn(self) -> float:
        began = time.monotonic()
        share = self.step / self._course.steps
        rate = self._course.learning_rate * min(1.0, (self.step + 1) / 20) * (1 - 0.95 * share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._part.loss(self._generator)
        found = float(loss.detach())
        if not math.isfinite(found):
            raise Diverged(
                f"the loss of the {self._part.name} is {found} at step {self.step}: use a lower rate"
            )
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._average.follow(self.step)
        self.step += 1
        self.elapsed += time.monotonic() - began
        return found

    def _measure(self) -> None:
        with self._average:
            found = self._part.validate()
            self._part.sheet(self._work / f"{self._part.name.replace(' ', '-')}-{self.step}.jpg")
        if found < self.best:
            self.best, self.best_step = found, self.step
            self._best = [it.clone() for it in self._average.values]
        waited = (self.step - self.best_step) // self._course.every
        self._ended = self.step >= self._course.steps or waited >= self._course.patience
        self._tell(found, waited)
        self._save()

    def _tell(self, found: float, waited: int | None) -> None:
        entry = {"part": self._part.name, "step": self.step, "seconds": round(self.elapsed, 1)}
        with (self._work / "log.jsonl").open("a") as log:
            log.write(json.dumps({**entry, "validation": round(found, 6), "waited": waited}) + "\n")

    def _save(self) -> None:
        state = {
            "parameters": [it.detach() for it in self._parameters],
            "average": self._average.values,
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "numbers": [self.step, self.best_step, self.elapsed, self.before, self.best, float(self._ended)],
        }
        with whole(self._state) as file:
            torch.save(state, file)

    def _load(self) -> None:
        device = self._parameters[0].device
        state: dict[str, Any] = torch.load(self._state, device, weights_only=True)
        with torch.no_grad():
            for mine, theirs in zip(self._parameters, state["parameters"], strict=True):
                mine.copy_(theirs)
        self._average.values, self._best = state["average"], state["best"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        step, best_step, self.elapsed, self.before, self.best, ended = state["numbers"]
        self.step, self.best_step, self._ended = int(step), int(best_step), bool(ended)
