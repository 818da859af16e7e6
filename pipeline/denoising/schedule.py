"""A job's sampler and its timesteps.

A sampler turns the network's prediction into the next latents. Most are diffusers' schedulers; our own have
the same interface: `set_timesteps`, `timesteps`, `order`, `init_noise_sigma`, `scale_model_input`,
`add_noise` and `step`.
"""

import copy
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from pipeline.errors import InvalidInput
from pipeline.recipe import Recipe

# Samplers that diffusers does not have: the module of each, by the class's name in `pipeline.json`.
OWN: Mapping[str, str] = {"ShiftedFlowMatching": "pipeline.denoising.flow_matching"}


def sampler_class(name: str) -> Any:
    """The class of that name, our own or diffusers'; None if there is none."""
    if name in OWN:
        return getattr(importlib.import_module(OWN[name]), name)
    return getattr(_diffusers(), name, None)


def _diffusers() -> Any:
    """diffusers, without what it imports and samplers have no use for.

    Torch's compiler marks layers of networks. A map of every installed package, a third of the import, tells
    it which distribution a package belongs to. Without both, the process that steps every job starts more
    than a second sooner, with 65 MB less.
    """
    if "diffusers" in sys.modules:
        return sys.modules["diffusers"]
    with _without_compiler(), mock.patch("importlib.metadata.packages_distributions", dict):
        import diffusers
    return diffusers


def _made(kind: Any, config: Mapping[str, Any]) -> Any:
    """`kind.from_config(config)`, without the search for keys that other samplers know, which are ignored.

    It imports all samplers, and with them SciPy's statistics: a second, and 60 MB.
    """
    if not getattr(kind, "has_compatibles", False):
        return kind.from_config(config)
    known = {*inspect.signature(kind.__init__).parameters, "_use_default_values"}
    with mock.patch.object(kind, "has_compatibles", False):
        return kind.from_config({name: value for name, value in config.items() if name in known})


@contextmanager
def _without_compiler() -> Iterator[None]:
    compiler = "torch._dynamo"
    hidden = compiler not in sys.modules
    if hidden:
        sys.modules[compiler] = None  # type: ignore[assignment]  # Python's way to say that there is none
    try:
        yield
    finally:
        if hidden:
            del sys.modules[compiler]


class Schedule:
    """The timesteps that a recipe runs on a sampler.

    sampler: a new one for this job, since samplers keep state.
    timesteps: (steps,), the first one first.
    """

    def __init__(self, sampler: Any, recipe: Recipe):
        self.sampler = sampler
        self.recipe = recipe
        count = recipe.schedule_steps
        sampler.set_timesteps(count)
        start = sampler.order * (count - int(count * recipe.strength))
        self.timesteps: Tensor = sampler.timesteps[start:]
        if recipe.denoising_end < 1:
            self.timesteps = self.timesteps[: sampler.order * recipe.steps]
        if hasattr(sampler, "set_begin_index"):
            sampler.set_begin_index(start)

    def __len__(self) -> int:
        return len(self.timesteps)

    def noised(self, clean: Tensor, noise: Tensor) -> Tensor:
        """Clean latents at the first timestep: z_T = sqrt(ᾱ)·z_0 + sqrt(1 − ᾱ)·ε."""
        latents: Tensor = self.sampler.add_noise(clean, noise, self.timesteps[:1])
        return latents

    def pure(self, noise: Tensor) -> Tensor:
        """The beginning at full strength: noise alone, in the sampler's scale."""
        latents: Tensor = noise * self.sampler.init_noise_sigma
        return latents

    def scaled(self, latents: Tensor, step: int) -> Tensor:
        """What the network is shown of the latents."""
        shown: Tensor = self.sampler.scale_model_input(latents, self.timesteps[step])
        return shown

    def timestep(self, step: int, rows: int) -> Tensor:
        """(rows, 1) float32"""
        return self.timesteps[step].to(torch.float32).expand(rows, 1)


class Schedulers:
    """Makes new samplers with the checkpoint's configuration.

    Each is a copy of one that has taken no step; making it from the configuration takes six times as long.
    """

    def __init__(self, config: dict[str, Any]):
        self._config = config
        self._unused: dict[str, Any] = {}

    def fresh(self, name: str) -> Any:
        """A new sampler of the class `name`."""
        if name not in self._unused:
            self._unused[name] = _made(sampler_class(name), self._config)
        return copy.deepcopy(self._unused[name])

    def schedule(self, recipe: Recipe) -> Schedule:
        """A new schedule for one job.

        Raises InvalidInput for steps that the sampler cannot run: LCM's has no more than 50, for instance.
        """
        sampler = self.fresh(recipe.scheduler)
        try:
            return Schedule(sampler, recipe)
        except ValueError as error:
            raise InvalidInput(
                f"steps is {recipe.steps} at strength {recipe.strength:g}, and {recipe.scheduler} cannot run "
                f"a schedule of {recipe.schedule_steps} steps: use fewer steps or a higher strength"
            ) from error
