"""A job's random numbers: drawn from its seed, or recorded ones, so that a picture can be computed again."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import InvalidInput


class Noise:
    """Normal values in the order in which they are drawn, always on the CPU, so that a seed means the same on
    every device.

    recorded: (N,) float32; all draws take their values from here, one after the other. For tests: it repeats
        a run whose random numbers come from another program.
    """

    def __init__(self, seed: int, recorded: Tensor | None = None):
        self.generator = torch.Generator().manual_seed(seed)
        self._recorded = recorded
        self._taken = 0

    def draw(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """The next values, in that shape. Raises InvalidInput if too few are recorded."""
        if self._recorded is None:
            return torch.randn(tuple(shape), generator=self.generator).to(device)
        count = torch.Size(shape).numel()
        if self._left < count:
            raise InvalidInput(
                f"noise has {len(self._recorded)} values; this job has taken {self._taken}, and needs "
                f"{count} more"
            )
        values = self._recorded[self._taken : self._taken + count]
        self._taken += count
        return values.reshape(tuple(shape)).to(device)

    def shared(self, shape: Sequence[int]) -> Tensor:
        """Values that are the same in every job, for what several jobs have in common; recorded ones, if
        there are any. Raises InvalidInput."""
        if self._recorded is None:
            return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(0))
        return self.draw(shape)

    def step_options(self, accepted: Collection[str], latents: Tensor) -> dict[str, Any]:
        """The arguments from which a sampler's `step` gets its noise.

        accepted: the names of the arguments that it knows. A sampler that draws by itself gets the generator,
        and a sampler that takes noise gets the recorded values, if any are left.
        """
        if self._recorded is not None and "variance_noise" in accepted and self._left >= latents.numel():
            return {"variance_noise": self.draw(latents.shape, latents.device)}
        return {"generator": self.generator} if "generator" in accepted else {}

    def for_step(self, accepted: Collection[str], latents: Tensor) -> Tensor:
        """The noise that a sampler's `step` would draw, or get."""
        given = self.step_options(accepted, latents).get("variance_noise")
        if given is not None:
            return torch.as_tensor(given)
        return torch.randn(latents.shape, generator=self.generator).to(latents.device)

    @property
    def _left(self) -> int:
        return 0 if self._recorded is None else len(self._recorded) - self._taken
