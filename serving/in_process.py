"""Networks in the process that calls them, instead of in models of Triton that it calls.

A call of another model costs two copies through shared memory and a hop for each denoising step, and on a GPU
it needs CUDA IPC. Here the networks' tensors never leave the device. What is no network stays a model of
Triton; an ensemble that has a network among its steps is done step by step.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from tritonclient.grpc.model_config_pb2 import ModelConfig

from pipeline.tryon.device_tensor import DeviceTensor
from pipeline.tryon.models import Models, Tensor


class Network(Protocol):
    """A stage with its tensors on one device, such as `TorchStage`."""

    @property
    def device(self) -> torch.device: ...

    def call(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]: ...


@dataclass(frozen=True)
class Step:
    """One model of an ensemble.

    inputs, outputs: the model's names to the ensemble's.
    """

    model: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def ensemble_steps(config: ModelConfig) -> list[Step]:
    """The steps of an ensemble's configuration; none for another model."""
    return [
        Step(step.model_name, dict(step.input_map), dict(step.output_map))
        for step in config.ensemble_scheduling.step
    ]


class InProcess:
    """Calls models, as `models` does, with some networks in this process.

    networks: by the model's name. All run in one thread, one after the other: a GPU is not faster with two.
    ensembles: the steps of each ensemble by its name.
    """

    def __init__(
        self, models: Models, networks: Mapping[str, Network], ensembles: Mapping[str, Sequence[Step]]
    ):
        self._models = models
        self._networks = networks
        # An ensemble that Triton can do alone is one call, not several.
        self._ensembles = {
            name: steps for name, steps in ensembles.items() if any(step.model in networks for step in steps)
        }
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="networks")

    async def __call__(
        self, model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = ""
    ) -> dict[str, Tensor]:
        if model in self._networks:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._worker, _run, self._networks[model], dict(inputs))
            return {name: DeviceTensor(found[name]) for name in outputs}
        if model in self._ensembles:
            return await self._run_ensemble(self._ensembles[model], inputs, outputs, request_id)
        in_main_memory = {
            name: it.as_numpy() if isinstance(it, DeviceTensor) else it for name, it in inputs.items()
        }
        return await self._models(model, in_main_memory, outputs, request_id)

    async def _run_ensemble(
        self, steps: Sequence[Step], inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str
    ) -> dict[str, Tensor]:
        known = dict(inputs)
        for number, step in enumerate(steps):
            wanted = {*outputs, *(name for later in steps[number + 1 :] for name in later.inputs.values())}
            asked = {inner: outer for inner, outer in step.outputs.items() if outer in wanted}
            if asked:
                given = {inner: known[outer] for inner, outer in step.inputs.items()}
                made = await self(step.model, given, list(asked), request_id)
                known |= {outer: made[inner] for inner, outer in asked.items()}
        return {name: known[name] for name in outputs}


def _run(network: Network, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    """In the worker's thread: the copies to the device do not stop the event loop."""
    return network.call({name: _on(network.device, value) for name, value in inputs.items()})


def _on(device: torch.device, value: Any) -> torch.Tensor:
    tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else torch.from_dlpack(value)
    return tensor.to(device, non_blocking=True)
