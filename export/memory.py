"""The memory that the exported networks take while they serve, measured from their graphs.

A network needs its weights, and while it runs the tensors that are alive at the same time. Both follow from
the graph: every tensor's shape is inferred for a given batch and resolution, and a tensor lives from the node
that makes it to the last node that reads it. Runtimes reuse and fuse, so they need about as much or less;
what they need beside it (CUDA's context, kernels' scratch memory) is not in the graph.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.tensorrt_engine import Shapes

BATCHES = (1, 2, 4, 8, 16)
# Operators between the two products of an attention; runtimes with fused attention never write their results.
_ELEMENTWISE = {"Add", "Cast", "Div", "Mul", "Softmax", "Sub", "Where", "IsNaN"}


@dataclass(frozen=True)
class Measured:
    """One network.

    weights: bytes. activations: bytes of its tensors by resolution (its place in the list) and batch.
    denoiser: whether its batch grows with the users; the others are counted with one row.
    """

    weights: int
    activations: Mapping[tuple[int, int], int]
    denoiser: bool
    buckets: int


def measure(
    onnx: Path, buckets: Sequence[Shapes], *, denoiser: bool, fused_attention: bool
) -> Measured | None:
    """The memory of one network; None if its graph does not tell.

    buckets: the inputs' shapes without the batch, for each resolution.
    fused_attention: whether the runtime keeps attention matrices in its kernels.
    """
    import onnx as onnx_package

    try:
        model = onnx_package.load(onnx, load_external_data=False)
        activations = {
            (index, batch): peak_bytes(model, bucket, batch, fused_attention)
            for index, bucket in enumerate(buckets)
            for batch in (BATCHES if denoiser else (1,))
        }
    except Exception:  # a graph that shape inference does not understand
        return None
    return Measured(_weights(model), activations, denoiser, len(buckets))


def table(measured: Mapping[str, Measured | None], resolutions: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The manifest's entry: bytes of all weights, and in all for each resolution and batch of the denoiser.

    measured: by the stages' names. A stage whose graph does not tell is named in `unmeasured`.
    """
    known = [it for it in measured.values() if it is not None]
    weights = sum(it.weights for it in known)
    rows = []
    for index, resolution in enumerate(resolutions):
        for batch in BATCHES:
            used = sum(
                it.activations[min(index, it.buckets - 1), batch if it.denoiser else 1] for it in known
            )
            rows.append({"resolution": list(resolution), "batch": batch, "bytes": weights + used})
    unmeasured = [name for name, it in measured.items() if it is None]
    return {"weights": weights, "rows": rows, "unmeasured": unmeasured}


def peak_bytes(model: Any, bucket: Shapes, batch: int, fused_attention: bool) -> int:
    """Bytes of the tensors that are alive together at most, without the weights."""
    graph = with_shapes(model, bucket, batch)
    sizes = {value.name: _bytes(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    if fused_attention:
        for name in _attention_matrices(graph):
            sizes[name] = 0
    last_use = {name: index for index, node in enumerate(graph.node) for name in node.input}
    last_use |= {value.name: len(graph.node) for value in graph.output}
    ends: dict[int, list[str]] = {}
    for name, index in last_use.items():
        ends.setdefault(index, []).append(name)
    alive = sum(sizes.get(value.name, 0) for value in graph.input)
    peak, made = alive, {value.name for value in graph.input}
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name and name in last_use:
                made.add(name)
                alive += sizes.get(name, 0)
        peak = max(peak, alive)
        alive -= sum(sizes.get(name, 0) for name in ends.get(index, ()) if name in made)
    return peak


def with_shapes(model: Any, bucket: Shapes, batch: int) -> Any:
    """The graph with every tensor's shape for this batch and resolution."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]  # shapes with symbols, from torch
    for value in copy.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, side in zip(dims, (batch, *bucket[value.name]), strict=True):
            dim.dim_value = side
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(copy, data_prop=True).graph


def _attention_matrices(graph: Any) -> set[str]:
    """The tensors between an attention's two products: queries × keys, their softmax, and what is between."""
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found: set[str] = set()
    for softmax in (node for node in graph.node if node.op_type == "Softmax"):
        name = softmax.input[0]
        while name in makers:
            found.add(name)
            if makers[name].op_type not in _ELEMENTWISE:
                break
            name = makers[name].input[0]
        waiting = [softmax.output[0]]
        while waiting:
            name = waiting.pop()
            found.add(name)
            waiting += [
                output
                for node in readers.get(name, ())
                if node.op_type in _ELEMENTWISE
                for output in node.output
                if output not in found
            ]
    return found


def _weights(model: Any) -> int:
    import onnx

    return sum(
        int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * _count(tensor.dims))
        for tensor in model.graph.initializer
    )


def _bytes(value: Any) -> int:
    import onnx

    kind = value.type.tensor_type
    sides = [dim.dim_value for dim in kind.shape.dim]
    return int(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize * _count(sides))


def _count(sides: Iterable[int]) -> int:
    count = 1
    for side in sides:
        count *= side
    return count
