"""Runs a network as CUDA graphs: one launch for all its kernels, for each shape that was captured.

A graph reads and writes fixed memory. So inputs are copied into buffers, which all graphs of one shape share,
and outputs are copied out of theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
Network = Callable[[Tensors], Tensors]
# Runs a network once on its buffers: (run the graph, the outputs' buffers).
Captured = tuple[Callable[[], None], Tensors]
Capture = Callable[[Network, Tensors], Captured]
Key = tuple[tuple[str, tuple[int, ...]], ...]

WARM_UP_RUNS = 3  # cuDNN and cuBLAS choose kernels and take their workspaces before a capture


class CudaGraphs:
    """
    capture: captures one run of a network on buffers; tests give one that needs no GPU.
    """

    def __init__(self, network: Network, capture: Capture | None = None):
        self._network = network
        self._capture = capture or SharedPool()
        self._graphs: dict[Key, tuple[Tensors, Captured]] = {}

    def __len__(self) -> int:
        return len(self._graphs)

    def add(self, example: Mapping[str, Tensor], rows: Sequence[int]) -> None:
        """Capture graphs for those numbers of rows, in the shapes and on the device of `example`, one row.

        The largest comes first: the memory that it takes serves the smaller ones, too.
        """
        buffers: Tensors = {}
        for count in sorted(rows, reverse=True):
            if not buffers:
                buffers = {name: one.repeat(count, *[1] * (one.ndim - 1)) for name, one in example.items()}
            views = {name: buffer[:count] for name, buffer in buffers.items()}
            self._graphs[_key(views)] = views, self._capture(self._network, views)

    def __call__(self, inputs: Tensors) -> Tensors:
        """The network's outputs, by its graph if these shapes have one."""
        found = self._graphs.get(_key(inputs))
        if found is None:
            return self._network(inputs)
        buffers, (replay, outputs) = found
        for name, buffer in buffers.items():
            buffer.copy_(inputs[name], non_blocking=True)
        replay()
        return {name: tensor.clone() for name, tensor in outputs.items()}


class SharedPool:
    """Captures on a GPU. All its graphs share one pool of memory, since they never run at the same time.

    That of several networks, too, if one thread runs them all: outputs are copied before the next graph runs.
    """

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, network: Network, buffers: Tensors) -> Captured:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                network(buffers)
        torch.cuda.current_stream().wait_stream(stream)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            outputs = network(buffers)
        return graph.replay, outputs


def _key(tensors: Mapping[str, Tensor]) -> Key:
    return tuple(sorted((name, tuple(tensor.shape)) for name, tensor in tensors.items()))
