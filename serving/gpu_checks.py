"""The doctor's checks of profile gpu: the GPU, its driver, and what computes the networks.

That is Triton with TensorRT's engines where a tritonserver is installed, as in the image; elsewhere a runtime
inside `tryon`.
"""

from collections.abc import Iterator

from serving import engine_stamp
from serving.errors import CannotServe
from serving.exported import read_stages
from serving.finding import Finding, Machine
from serving.gpu import Gpu, query_gpus
from serving.memory_table import read_memory
from serving.stages.gpu_runtime import choose_gpu_runtime
from serving.tensorrt_package import tensorrt_version
from serving.triton_server import runs_in_process

# The image and torch's wheels have CUDA 13, which needs driver 580 or newer.
MINIMUM_DRIVER = 580


def check_gpu(machine: Machine) -> Iterator[Finding]:
    in_process = runs_in_process(machine.settings)
    gpus = query_gpus()
    if machine.settings.gpu_device == "cpu":
        text = "GPU_DEVICE is cpu: profile gpu computes on the processor, for tests alone"
        yield Finding("gpu", "warn", text)
    elif not gpus:
        text = "nvidia-smi finds none: install the driver, give the container the GPU, or use PROFILE=cpu"
        yield Finding("gpu", "fail", text)
        if not in_process:
            return
    else:
        gpu = gpus[0]
        yield Finding("gpu", "ok", f"{gpu.name}, compute capability {gpu.compute_capability}")
        if int(gpu.driver.split(".")[0]) < MINIMUM_DRIVER:
            text = f"{gpu.driver} is too old for CUDA 13: install {MINIMUM_DRIVER} or newer"
            yield Finding("driver", "fail", text)
        yield from _memory(machine, gpu)
        if not in_process:
            yield from _engines(machine, gpu)
    if in_process:
        yield _runtime(machine)


def _runtime(machine: Machine) -> Finding:
    """What computes the networks inside `tryon`, and why nothing faster does."""
    try:
        stages = read_stages(machine.repository)
        choice = choose_gpu_runtime(machine.settings, machine.repository, stages)
    except CannotServe as error:
        return Finding("runtime", "fail", str(error))
    others = "".join(f"; not {runtime}: {fault}" for runtime, fault in choice.faults.items())
    return Finding("runtime", "ok", f"the networks run inside tryon on {choice.runtime}{others}")


def _memory(machine: Machine, gpu: Gpu) -> Iterator[Finding]:
    """Whether the exported networks fit, by the table that the export measured from their graphs."""
    memory = read_memory(machine.repository)
    if memory is None:
        return
    have = gpu.memory_total << 20
    needed = memory.least
    where = f"{needed.height} × {needed.width} and {needed.batch} rows"
    if needed.bytes > have:
        text = (
            f"the networks take {needed.bytes / 2**30:.1f} GiB at {where}, and {gpu.name} has "
            f"{have / 2**30:.1f}: export a smaller resolution (pipeline.json) or a smaller checkpoint"
        )
        yield Finding("memory", "fail", text)
        return
    batch = memory.largest_batch(have)
    if batch < memory.most:
        text = (
            f"the networks take {needed.bytes / 2**30:.1f} GiB at {where}; of {gpu.name}'s "
            f"{have / 2**30:.1f}, batches of more than {batch} rows take more: if engines do not load, "
            "export a smaller resolution"
        )
        yield Finding("memory", "warn", text)
    else:
        yield Finding("memory", "ok", f"the networks take {needed.bytes / 2**30:.1f} GiB at {where}")


def _engines(machine: Machine, gpu: Gpu) -> Iterator[Finding]:
    tensorrt = tensorrt_version()
    usable = 0
    for folder in sorted(machine.repository.glob("*/1")):
        if not (folder / "model.onnx").exists():
            continue
        name = folder.parent.name
        try:
            stamp = engine_stamp.read(folder)
        except CannotServe as error:
            yield Finding("engines", "fail", f"{name}: {error}")
            continue
        if stamp is None:
            text = f"{name} has no engine: run `make export PROFILE=gpu` on this machine"
            yield Finding("engines", "fail", text)
        elif fault := stamp.fault(tensorrt, gpu):
            text = f"{name} {fault}: run `make export PROFILE=gpu` on this machine"
            yield Finding("engines", "fail", text)
        else:
            usable += 1
            size = (folder / "model.plan").stat().st_size >> 20
            if size > gpu.memory_total:
                text = f"{name} alone is {size} MiB and {gpu.name} has {gpu.memory_total}"
                yield Finding("engines", "fail", text)
    if usable:
        text = f"{usable} for this GPU and TensorRT {tensorrt or '(version unknown)'}"
        yield Finding("engines", "ok", text)
