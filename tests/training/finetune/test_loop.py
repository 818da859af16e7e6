"""The loop on a network of two numbers: what a stopped run goes on from, and what is kept in the end."""

from pathlib import Path

import pytest
import torch
from torch import nn

from training.finetune.loop import Course, Diverged, Loop

COURSE = Course(steps=40, learning_rate=0.3, every=10, patience=9)


class Line:
    """Learns y = 3 x + 1 from a few points at a time, which the generator chooses."""

    name = "line"

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(1, 1)
        self.networks = {"line": self.network}
        self.stops_at = -1
        self.asked = 0

    def _error(self, x: torch.Tensor) -> torch.Tensor:
        return (self.network(x) - 3 * x - 1).square().mean()

    def loss(self, generator: torch.Generator) -> torch.Tensor:
        if self.asked == self.stops_at:
            raise KeyboardInterrupt
        self.asked += 1
        return self._error(torch.randn(2, 1, generator=generator))

    @torch.no_grad()
    def validate(self) -> float:
        return float(self._error(torch.linspace(-1, 1, 9)[:, None]))

    def sheet(self, path: Path) -> None:
        path.touch()

    @property
    def numbers(self) -> list[float]:
        return [it.item() for it in self.network.parameters()]


def test_a_stopped_run_ends_where_it_would_have(tmp_path: Path) -> None:
    whole = Line()
    expected = Loop(whole, COURSE, tmp_path / "whole")
    expected.run()
    stopped = Line()
    stopped.stops_at = 25
    with pytest.raises(KeyboardInterrupt):
        Loop(stopped, COURSE, tmp_path / "stopped").run()
    resumed = Line()
    loop = Loop(resumed, COURSE, tmp_path / "stopped")
    loop.run()
    assert resumed.asked == 20, "it goes on from the last validation"
    assert (loop.best, loop.best_step) == (expected.best, expected.best_step)
    assert loop.best_step > 20, "otherwise all of it would be in the state"
    assert resumed.numbers == whole.numbers


def test_what_was_measured_as_the_best_is_what_the_network_has_in_the_end(tmp_path: Path) -> None:
    """The average is measured, and not where the last step has led to."""
    line = Line()
    loop = Loop(line, COURSE, tmp_path)
    loop.run()
    assert loop.best < 0.1 * loop.before
    assert line.validate() == pytest.approx(loop.best, rel=1e-6)


def test_a_loss_that_is_no_number_ends_it_with_what_to_do(tmp_path: Path) -> None:
    line = Line()
    with torch.no_grad():
        line.network.weight.fill_(torch.inf)
    with pytest.raises(Diverged, match="use a lower rate"):
        Loop(line, COURSE, tmp_path).run()
