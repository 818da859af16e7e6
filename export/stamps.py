"""The stamp of the engine that this machine would build from an ONNX file.

Two hashes identify an ONNX file: of the whole file, and of its graph without the weights.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from export.tensorrt_engine import BatchRange, Shapes
from serving.engine_stamp import Stamp
from serving.gpu import Gpu


def stamp_of(
    tensorrt: str,
    gpu: Gpu,
    onnx: Path,
    batches: Sequence[BatchRange],
    buckets: Sequence[Shapes],
    refittable: bool,
) -> Stamp:
    """buckets: the inputs' shapes without the batch, for each resolution."""
    return Stamp(
        tensorrt=tensorrt,
        gpu=gpu.name,
        compute_capability=gpu.compute_capability,
        driver=gpu.driver,
        onnx_sha256=onnx_sha256(onnx),
        graph_sha256=graph_sha256(onnx),
        batches=[[batch.least, batch.best, batch.most] for batch in batches],
        buckets=[{name: list(shape) for name, shape in bucket.items()} for bucket in buckets],
        refittable=refittable,
    )


def onnx_sha256(onnx: Path) -> str:
    digest = hashlib.sha256()
    for path in (onnx, onnx.with_name(f"{onnx.name}.data")):
        if path.exists():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def graph_sha256(onnx: Path) -> str:
    """The hash of nodes, names, types and shapes, without the values of large initializers."""
    import onnx as onnx_package

    model = onnx_package.load(onnx, load_external_data=False)
    digest = hashlib.sha256()
    for tensor in model.graph.initializer:
        digest.update(f"{tensor.name} {tensor.data_type} {list(tensor.dims)}\n".encode())
        if len(tensor.dims) == 0 or (len(tensor.dims) == 1 and tensor.dims[0] <= 8):
            digest.update(tensor.raw_data)  # a shape or an axis, which is part of the graph
    for node in model.graph.node:
        stripped = onnx_package.NodeProto()
        stripped.CopyFrom(node)
        stripped.ClearField("metadata_props")  # the position in the Python code
        stripped.ClearField("doc_string")
        digest.update(stripped.SerializeToString(deterministic=True))
    for value in (*model.graph.input, *model.graph.output):
        digest.update(value.SerializeToString(deterministic=True))
    return digest.hexdigest()
