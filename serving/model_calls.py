"""Calls of other models of the repository, by a Python model: only `tryon` makes them.

Only Triton's Python stub can import it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from weakref import WeakSet

import triton_python_backend_utils as pb_utils

from pipeline.tryon.models import Models
from serving.cuda_ipc import ipc_fault
from serving.python_backend import tensor

# Calls in progress at the same time, some for each job. As many threads as Triton's side has
# (thread-pool-size in serving/triton_server.py).
CALLS = 64
_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


async def call(
    model: str,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    request_id: str = "",
    *,
    in_main_memory: bool = False,
) -> dict[str, Any]:
    """The named outputs of a model of the repository. Raises TritonModelException with its message.

    in_main_memory: get them in main memory, even from a model that runs on a GPU.
    """
    _use_own_threads(asyncio.get_running_loop())
    memory = {}
    if in_main_memory:
        memory["preferred_memory"] = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)
    request = pb_utils.InferenceRequest(
        model_name=model,
        inputs=[tensor(name, value) for name, value in inputs.items()],
        requested_output_names=list(outputs),
        request_id=request_id,
        **memory,
    )
    answer = await request.async_exec()
    if answer.has_error():
        raise pb_utils.TritonModelException(answer.error().message())
    return {output.name(): output for output in answer.output_tensors()}


def hand_over(profile: str) -> tuple[Models, str]:
    """How models of that profile are called, and the device that their tensors then lie on.

    They stay on the GPU, if the setting TENSOR_MEMORY and the driver allow it.
    """
    if profile != "gpu":
        return call, "cpu"
    from serving.gpu_settings import GpuSettings  # pydantic, which the pixels' processes do without

    setting = GpuSettings().tensor_memory
    fault = ipc_fault() if setting == "auto" else None
    if fault:
        pb_utils.Logger.log_info(f"tensors go through main memory: {fault}")
    in_main_memory = setting == "cpu" or fault is not None
    return partial(call, in_main_memory=in_main_memory), "cpu" if in_main_memory else "cuda"


def _use_own_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Give the loop enough threads for `async_exec`, which waits for its model in one of them.

    Python's own number follows the cores: with two, six calls would wait, and a seventh, the UNet's perhaps,
    would not even begin.
    """
    if loop not in _loops:
        loop.set_default_executor(ThreadPoolExecutor(CALLS, thread_name_prefix="call"))
        _loops.add(loop)
