"""How `tryon` reaches the exported networks: as models of Triton, or in its own process.

Only Triton's Python stub can import it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils

from pipeline.tryon.device_tensor import DeviceTensor
from pipeline.tryon.models import Models
from serving.cores import available_cores
from serving.errors import CannotServe
from serving.model_calls import call, hand_over
from serving.placement import PICTURE, PLACEMENT
from serving.python_backend import response


def entry_models(parameters: Mapping[str, Any], repository: Path) -> tuple[Models, str]:
    """How models are called, and the device that the networks' tensors then lie on.

    parameters: of the entry's configuration. repository: the folder with all models.
    Raises TritonModelException if the networks cannot be opened.
    """
    torch.set_num_threads(1)  # it only adds and stacks latents; the networks need the cores
    if PLACEMENT not in parameters:
        return hand_over(json.loads(parameters["served"]["string_value"])["profile"])
    return _models_here(repository)


def _models_here(repository: Path) -> tuple[Models, str]:
    """Raises TritonModelException."""
    # Here: gRPC's messages and pydantic's settings, which `tryon` does without on a CPU.
    from serving.gpu_settings import GpuSettings
    from serving.in_process import InProcess, ensemble_steps, scalars
    from serving.model_config import read_model_config
    from serving.models import ENSEMBLES
    from serving.network_metrics import NetworkMetrics
    from serving.networks import open_networks

    settings = GpuSettings()
    if settings.gpu_device == "cpu":
        torch.set_num_threads(available_cores())
    try:
        opened = open_networks(repository, settings)
    except CannotServe as error:
        raise pb_utils.TritonModelException(str(error)) from error
    pb_utils.Logger.log_info(f"the networks run inside tryon: {opened}")
    ensembles = {name: ensemble_steps(read_model_config(repository / name)) for name in ENSEMBLES}
    flat = {name: scalars(read_model_config(repository / name)) for name in opened.stages}
    metrics = NetworkMetrics(pb_utils, list(opened.stages))
    models = InProcess(call, opened.stages, ensembles, flat, (PICTURE,), metrics)
    return models, settings.gpu_device


def answer_of(outputs: Mapping[str, Any]) -> Any:
    """The response to a request. Networks in this process may leave tensors on the GPU, which no client can
    read."""
    return response(
        {name: it.as_numpy() if isinstance(it, DeviceTensor) else it for name, it in outputs.items()}
    )
