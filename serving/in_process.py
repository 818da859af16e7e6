"""Networks in the process that calls them, instead of in models of Triton that it calls.

A call of another model costs two copies through shared memory and a hop for each denoising step, and on a GPU
it needs CUDA IPC. Here the networks' tensors never leave the device. What is no network stays a model of
Triton; an ensemble that has a network among its steps is done step by step.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from tritonclient.grpc.model_config_pb2 import ModelConfig

from pipeline.tryon.device_tensor import DeviceTensor
from pipeline.tryon.models import Models, Tensor

# Called after each call of a network, in its thread: its name, the rows, and the seconds that it took.
Observer = Callable[[str, int, float], None]


class Network(Protocol):
    """A stage with its tensors on one device (serving.stages.stage)."""

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


def scalars(config: ModelConfig) -> list[str]:
    """The inputs with one number per row: callers give (rows, 1), and the network takes (rows,)."""
    return [it.name for it in config.input if it.HasField("reshape") and not it.reshape.shape]


class Picture(DeviceTensor):
    """A network's picture, (1, 3, H, W) RGB in −1…1, and the same in main memory as uint8.

    It leaves the device like this since it is rounded anyway before it is put into the frame: a quarter of
    the bytes.
    """

    def __init__(self, tensor: torch.Tensor, levels: np.ndarray):
        super().__init__(tensor)
        self.levels = levels


class InProcess:
    """Calls models, as `models` does, with some networks in this process.

    networks: by the model's name. All run in one thread, one after the other: a GPU is not faster with two.
    ensembles: the steps of each ensemble by its name.
    flat: inputs of each network that have one number per row.
    pictures: inputs of Triton's models that take pictures as uint8, and outputs of networks of these names.
    """

    def __init__(
        self,
        models: Models,
        networks: Mapping[str, Network],
        ensembles: Mapping[str, Sequence[Step]],
        flat: Mapping[str, Collection[str]] | None = None,
        pictures: Collection[str] = (),
        observe: Observer = lambda model, rows, seconds: None,
    ):
        self._models = models
        self._networks = networks
        # An ensemble that Triton can do alone is one call, not several.
        self._ensembles = {
            name: steps for name, steps in ensembles.items() if any(step.model in networks for step in steps)
        }
        self._flat = flat or {}
        self._pictures = pictures
        self._observe = observe
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="networks")

    async def __call__(
        self, model: str, inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str = ""
    ) -> dict[str, Tensor]:
        if model in self._networks:
            return await self._in_worker(self._run, model, inputs, outputs)
        if model in self._ensembles:
            return await self._run_ensemble(self._ensembles[model], inputs, outputs, request_id)
        given = {name: await self._in_main_memory(name, value) for name, value in inputs.items()}
        return await self._models(model, given, outputs, request_id)

    async def _run_ensemble(
        self, steps: Sequence[Step], inputs: Mapping[str, Any], outputs: Sequence[str], request_id: str
    ) -> dict[str, Tensor]:
        known = dict(inputs)
        for number, step in enumerate(steps):
            wanted = {*outputs, *(name for later in steps[number + 1 :] for name in later.inputs.values())}
            asked = {inner: outer for inner, outer in step.outputs.items() if outer in wanted}
            if asked:
                given = {inner: known[outer] for inner, outer in step.inputs.items() if outer in known}
                made = await self(step.model, given, list(asked), request_id)
                known |= {outer: made[inner] for inner, outer in asked.items()}
        return {name: known[name] for name in outputs}

    async def _in_main_memory(self, name: str, value: Any) -> Any:
        """What a model of Triton takes: its process cannot read the device's memory."""
        if name in self._pictures:
            if isinstance(value, Picture):
                return value.levels
            return await self._in_worker(to_levels, value)
        if isinstance(value, DeviceTensor):
            return await self._in_worker(value.as_numpy)
        return value

    async def _in_worker(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Waits for the device there: the event loop has other requests."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _run(self, model: str, inputs: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, Tensor]:
        began = time.perf_counter()
        network, flat = self._networks[model], self._flat.get(model, ())
        given = {name: to_device(value, network.device) for name, value in inputs.items()}
        found = network.call({name: it.flatten() if name in flat else it for name, it in given.items()})
        answer: dict[str, Tensor] = {}
        for name in outputs:
            tensor = found[name]
            is_picture = name in self._pictures
            answer[name] = Picture(tensor, to_levels(tensor)) if is_picture else DeviceTensor(tensor)
        # Who is called next is decided when this step is done. A device with calls waiting in its queue would
        # keep a keyframe waiting behind a capture's.
        wait_for(network.device)
        self._observe(model, len(next(iter(given.values()))), time.perf_counter() - began)
        return answer


def to_device(value: Any, device: torch.device) -> torch.Tensor:
    """A tensor of it on the device; from main memory by a page-locked copy, which torch keeps until it was
    read."""
    tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else torch.from_dlpack(value)
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def to_levels(picture: Any) -> np.ndarray:
    """(1, 3, H, W) in −1…1 → the same in 0…255, uint8, in main memory; rounded as compositing.to_bgr does."""
    tensor = torch.from_numpy(picture) if isinstance(picture, np.ndarray) else torch.from_dlpack(picture)
    levels = (tensor * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    if levels.device.type == "cuda":
        staged = torch.empty(levels.shape, dtype=torch.uint8, pin_memory=True)
        staged.copy_(levels, non_blocking=True)
        wait_for(levels.device)
        levels = staged
    return np.asarray(levels.numpy())


def wait_for(device: torch.device) -> None:
    """Until the device has done what this thread has given it."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
