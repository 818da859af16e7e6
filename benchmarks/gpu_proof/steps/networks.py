"""Step 1: each network alone, by batch: torch's calls one by one, one CUDA graph, and their lower bounds."""

import argparse
from functools import partial

import torch

from benchmarks.gpu.device import floor, measure_device, milliseconds
from benchmarks.gpu_proof.figures import Call, Recorded
from benchmarks.gpu_proof.sizes import describe_stages
from benchmarks.gpu_proof.steps.step import left, precision, size_of
from export.stages import Stage
from serving.stages.cuda_graphs import CudaGraphs, Tensors

# The UNet first: if the time ends early, its figures are there.
_ORDER = ("unet", "vae_decoder", "vae_encoder", "text_encoder")


@torch.no_grad()
def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    size, figures = size_of(args), recorded.figures
    rates = measure_device(args.device, precision(args), size.seconds)
    figures.flops_per_s, figures.bytes_per_s = rates["flops_per_s"], rates["bytes_per_s"]
    recorded.write()
    stages = {stage.name: stage for stage in describe_stages(size, precision(args), args.device)}
    for name in _ORDER:
        stage = stages.pop(name)
        module = stage.module.to(args.device, memory_format=torch.channels_last)

        def compute(inputs: Tensors, module: torch.nn.Module = module, stage: Stage = stage) -> Tensors:
            found = module(**inputs)
            return dict(zip(stage.outputs, found if isinstance(found, tuple) else (found,), strict=True))

        for rows in size.rows:
            if left(args) <= 0:
                recorded.fault(name, f"no time was left for {rows} rows and more")
                break
            inputs = {key: _repeated(one, rows).to(args.device) for key, one in stage.example.items()}
            call = Call(network=name, rows=rows, **floor(module, inputs, rates))
            figures.calls.append(call)
            recorded.write()
            try:
                call.eager_ms = milliseconds(partial(compute, inputs), args.device, size.seconds)
                recorded.write()
                if args.device == "cuda":
                    graphs = CudaGraphs(compute)
                    graphs.add({key: one[:1] for key, one in inputs.items()}, [rows])
                    call.graph_ms = milliseconds(partial(graphs, inputs), args.device, size.seconds)
            except torch.cuda.OutOfMemoryError as error:
                recorded.fault(f"{name}, {rows} rows", error)
            recorded.write()
    if args.device == "cpu":
        recorded.fault("graphs", "CUDA graphs need a GPU")


def _repeated(example: torch.Tensor, rows: int) -> torch.Tensor:
    return example[:1].repeat(rows, *[1] * (example.ndim - 1))
