"""`configs/gpu.pbtxt`: a network's config.pbtxt, and what only the export of a checkpoint can tell.

The hand-written config.pbtxt holds for every checkpoint. A checkpoint's resolutions decide how many
optimization profiles the engine has, each of which Triton must be told to use, and the shape of a warm-up
request.
"""

from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.tensorrt_engine import Shapes
from serving.model_config import read_model_config


def write(model: Path, buckets: Sequence[Shapes]) -> None:
    """From `model`/config.pbtxt.

    buckets: the inputs' shapes without the batch, for each optimization profile.
    """
    if (model / "config.pbtxt").exists():
        config = extend(read_model_config(model), buckets)
        (model / "configs").mkdir(exist_ok=True)
        (model / "configs" / "gpu.pbtxt").write_text(
            "# By the export: ../config.pbtxt with this checkpoint's optimization profiles and a warm-up\n"
            "# request for each: nobody waits for what the first call sets up.\n"
            + text_format.MessageToString(config)
        )


def extend(config: ModelConfig, buckets: Sequence[Shapes]) -> ModelConfig:
    """`config` with every optimization profile named, and a warm-up request for each."""
    extended = ModelConfig()
    extended.CopyFrom(config)
    if len(buckets) > 1:
        for group in extended.instance_group:
            group.profile.extend(str(index) for index in range(len(buckets)))
    types = {tensor.name: tensor.data_type for tensor in config.input}
    for index, bucket in enumerate(buckets):
        warmup = extended.model_warmup.add(name=f"profile {index}", batch_size=1)
        for name, shape in bucket.items():
            tensor = warmup.inputs[name]
            tensor.data_type = types[name]
            tensor.dims.extend(shape or (1,))  # a row's one number: Triton reshapes it
            tensor.zero_data = True
    return extended
