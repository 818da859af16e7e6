"""`configs/gpu.pbtxt`: a network's config.pbtxt with the parts that depend on the checkpoint.

The hand-written config.pbtxt is valid for every checkpoint. The checkpoint's resolutions decide how many
optimization profiles the engine has, which Triton uses only if the configuration names them, and which shapes
the warm-up requests have.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.tensorrt_engine import Shapes
from serving import engine_stamp
from serving.model_config import read_model_config

FILE = "gpu.pbtxt"


def write(model: Path, buckets: Sequence[Shapes]) -> None:
    """Write the file of the folder `model`, if that has a config.pbtxt.

    buckets: the inputs' shapes without the batch, for each resolution.
    """
    if (model / "config.pbtxt").exists():
        config = extend(read_model_config(model), buckets, _batches(model))
        (model / "configs").mkdir(exist_ok=True)
        (model / "configs" / FILE).write_text(
            "# Written by the export: ../config.pbtxt with this checkpoint's optimization profiles and a\n"
            "# warm-up request for each, so that no client waits for the set-up of the first call.\n"
            + text_format.MessageToString(config)
        )


def _batches(model: Path) -> list[int]:
    """The best batch of each range that the engine is tuned for; [1] without an engine."""
    stamp = engine_stamp.read(model / "1")
    return [1] if stamp is None else [best for _, best, _ in stamp.batches]


def extend(config: ModelConfig, buckets: Sequence[Shapes], batches: Sequence[int] = (1,)) -> ModelConfig:
    """A copy of `config` that names every optimization profile, with a warm-up request for each.

    batches: how many rows the requests have, for each range of batches that the engine is tuned for.
    """
    extended = ModelConfig()
    extended.CopyFrom(config)
    profiles = list(product(buckets, batches))
    if len(profiles) > 1:
        for group in extended.instance_group:
            group.profile.extend(str(index) for index in range(len(profiles)))
    types = {tensor.name: tensor.data_type for tensor in config.input}
    for index, (bucket, rows) in enumerate(profiles):
        warmup = extended.model_warmup.add(name=f"profile {index}", batch_size=rows)
        for name, shape in bucket.items():
            tensor = warmup.inputs[name]
            tensor.data_type = types[name]
            tensor.dims.extend(shape or (1,))  # one number per row, which Triton reshapes
            tensor.zero_data = True
    return extended
