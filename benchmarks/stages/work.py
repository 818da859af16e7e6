"""What a network has to do at least, counted from its graph: multiply-adds, and bytes from and to memory."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from export.memory import with_shapes


@dataclass(frozen=True)
class Work:
    """
    multiply_adds: of convolutions and matrix products.
    bytes: of weights, inputs and outputs, each once; what is between them can stay in caches.
    """

    multiply_adds: int
    bytes: int


def work_of(model: Path, shapes: Mapping[str, Sequence[int]], rows: int = 1) -> Work:
    """shapes: of one row of each input."""
    network = onnx.load(model)
    weights = sum(math.prod(it.dims) * _item_bytes(it.data_type) for it in network.graph.initializer)
    graph = with_shapes(network, shapes, rows)
    sides = {it.name: _shape(it) for it in (*graph.input, *graph.value_info, *graph.output)}
    sides |= {it.name: tuple(it.dims) for it in graph.initializer}
    moved = sum(
        math.prod(sides[it.name]) * _item_bytes(it.type.tensor_type.elem_type)
        for it in (*graph.input, *graph.output)
    )
    return Work(sum(multiply_adds(node, sides) for node in graph.node), weights + moved)


def multiply_adds(node: Any, sides: Mapping[str, tuple[int, ...]]) -> int:
    """Of one node. sides: the shapes of tensors by name."""
    if node.op_type == "Conv":  # each output is a sum over a window of one group's channels
        return math.prod(sides[node.output[0]]) * math.prod(sides[node.input[1]][1:])
    if node.op_type in ("MatMul", "Gemm"):
        rows = sides[node.input[0]]
        turned = any(it.name == "transA" and it.i for it in node.attribute)
        return math.prod(sides[node.output[0]]) * (rows[0] if turned else rows[-1])
    return 0


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _item_bytes(kind: int) -> int:
    return int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)
