"""Flow matching with a shifted schedule (Lipman et al., 2023; Esser et al., 2024), with Euler's steps.

    t       time, from 0 (noise) to 1 (picture)
    x_t     = (1 − t) · noise + t · picture
    v       = dx/dt = picture − noise, what the network predicts
    μ       shift: the larger, the shorter the steps near the noise

It has the interface of diffusers' schedulers, as far as sampling.py uses it. diffusers' own flow matching
counts noise levels downwards, and shifts them by another formula.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stepped:
    """x at the end of a step, and the picture that the step predicted."""

    prev_sample: Tensor
    pred_original_sample: Tensor


class ShiftedFlowMatching:
    """
    shift: μ.
    timesteps: the beginning of each step, (n,) float32; the last step ends at 1.
    """

    order = 1
    init_noise_sigma = 1.0

    def __init__(self, shift: float):
        self.config = {"shift": shift}
        self.timesteps = torch.zeros(0)
        self._times = torch.ones(1)
        self._index = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(float(config["shift"]))

    def set_timesteps(self, count: int) -> None:
        """t_i = e^−μ / (e^−μ + 1/s_i − 1) for s_i = i/n, i = 0 … n."""
        shift = math.exp(-self.config["shift"])
        shares = torch.linspace(1, 0, count + 1).flip(0)  # rounded like the upstream's, which counts down
        self._times = shift / (shift + (1 / shares - 1))
        self.timesteps = self._times[:-1]
        self.set_begin_index(0)

    def set_begin_index(self, index: int) -> None:
        self._index = index

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor:
        return sample

    def add_noise(self, sample: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t of a picture."""
        t = timesteps.to(sample.device).view(-1, *[1] * (sample.ndim - 1))
        return (1 - t) * noise + t * sample

    def step(self, velocity: Tensor, timestep: Tensor, sample: Tensor) -> Stepped:
        """x_{t'} = x_t + (t' − t) · v, and the picture x_t + (1 − t) · v."""
        begin, end = (float(it) for it in self._times[self._index : self._index + 2])
        self._index += 1
        return Stepped(sample + (end - begin) * velocity, sample + (1 - begin) * velocity)
