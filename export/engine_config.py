"""`configs/gpu.pbtxt`: a network's config.pbtxt, and what only the export of a checkpoint can tell.

The hand-written config.pbtxt holds for every checkpoint. A checkpoint's resolutions decide how many
optimization profiles the engine has, each of which Triton must be told to use, and the shape of a warm-up
request.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from export.tensorrt_engine import Shapes

_INPUT = r'name: "{}"\s+data_type: (TYPE_\w+)'


def write(model: Path, buckets: Sequence[Shapes]) -> None:
    """From `model`/config.pbtxt.

    buckets: the inputs' shapes without the batch, for each optimization profile.
    """
    config = model / "config.pbtxt"
    if config.exists():
        (model / "configs").mkdir(exist_ok=True)
        (model / "configs" / "gpu.pbtxt").write_text(extend(config.read_text(), buckets))


def extend(config: str, buckets: Sequence[Shapes]) -> str:
    """`config` with every optimization profile named, and a warm-up request for each."""
    if len(buckets) > 1:
        names = ", ".join(f'"{index}"' for index in range(len(buckets)))
        config = config.replace("kind: KIND_GPU", f"kind: KIND_GPU  profile: [ {names} ]")
    warmups = ",\n".join(_warmup(config, index, bucket) for index, bucket in enumerate(buckets))
    return (
        "# By the export: ../config.pbtxt with this checkpoint's optimization profiles and a warm-up\n"
        f"# request for each: nobody waits for what the first call sets up.\n{config}\n"
        f"model_warmup [\n{warmups}\n]\n"
    )


def _warmup(config: str, index: int, bucket: Shapes) -> str:
    lines = []
    for name, shape in bucket.items():
        found = re.search(_INPUT.format(name), config)
        assert found is not None, f"the configuration has no input {name}"
        dims = ", ".join(map(str, shape)) or "1"  # a row's one number: Triton reshapes it
        value = f"data_type: {found[1]}  dims: [ {dims} ]  zero_data: true"
        lines.append(f'    inputs {{ key: "{name}"  value {{ {value} }} }}')
    return "\n".join([f'  {{\n    name: "profile {index}"  batch_size: 1', *lines, "  }"])
