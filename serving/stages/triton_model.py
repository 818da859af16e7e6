"""The model of each stage in the CPU profile: its `model.onnx` in Triton's Python backend.

Imported only inside Triton's Python stub. The four stages differ in their `model.onnx`, not in code.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from serving.errors import CannotServe
from serving.python_backend import failure
from serving.stages.measured import measured_runtime
from serving.stages.priority import make_way
from serving.stages.runtime import ONNX_RUNTIME, asked_runtime, choose_runtime, open_stage

Inputs = dict[str, np.ndarray]
Call = tuple[Any, Inputs]  # Triton's request and its tensors


class TritonPythonModel:
    """Runs as one batch the requests that Triton's dynamic batcher hands over together."""

    def initialize(self, args: dict[str, str]) -> None:
        model = Path(args["model_repository"], args["model_version"], "model.onnx")
        if not model.exists():
            raise pb_utils.TritonModelException(f"{model} is missing: run `make export` first")
        self._name = args["model_name"]
        can_wait = make_way(model)
        try:
            runtime = choose_runtime(asked_runtime(), measured_runtime(model))
            # A first call is 20 ms slower on ONNX Runtime; OpenVINO compiles kernels in it.
            self._stage = open_stage(model, runtime, warm=not can_wait or runtime != ONNX_RUNTIME)
        except CannotServe as error:
            raise pb_utils.TritonModelException(str(error)) from error
        pb_utils.Logger.log_info(f"{self._name} runs on {runtime}")

    def execute(self, requests: list[Any]) -> list[Any]:
        responses: list[Any] = [None] * len(requests)
        # Requests can be stacked only if their shapes agree in everything but the batch.
        by_shape: dict[tuple, list[tuple[int, Call]]] = defaultdict(list)
        for position, request in enumerate(requests):
            inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            by_shape[tuple(array.shape[1:] for array in inputs.values())].append(
                (position, (request, inputs))
            )
        for group in by_shape.values():
            positions, calls = zip(*group, strict=True)
            for position, response in zip(positions, self._run(calls), strict=True):
                responses[position] = response
        return responses

    def _run(self, calls: tuple[Call, ...]) -> list[Any]:
        batch = [inputs for _, inputs in calls]
        try:
            if len(batch) == 1:
                return [_response(self._stage.run(batch[0]))]
            stacked = {name: np.concatenate([inputs[name] for inputs in batch]) for name in batch[0]}
            outputs = self._stage.run(stacked)
        except Exception as error:
            if len(batch) > 1:  # run them one by one, so that only the faulty one fails
                return [response for call in calls for response in self._run((call,))]
            return [failure(error, self._name, calls[0][0].request_id())]
        ends = np.cumsum([len(next(iter(inputs.values()))) for inputs in batch])[:-1]
        parts = {name: np.split(array, ends) for name, array in outputs.items()}
        return [_response({name: part[i] for name, part in parts.items()}) for i in range(len(batch))]


def _response(outputs: Inputs) -> Any:
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])
