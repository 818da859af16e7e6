"""`tryon/configs/<profile>.pbtxt`: the entry's config.pbtxt with what is served as parameters.

A proxy reads them from Triton, and so also one on another machine knows which checkpoint it shows.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import TYPE_UINT8

from serving.exported import describe
from serving.model_config import read_model_config
from serving.placement import IN_PROCESS, PICTURE, PLACEMENT

MODEL = "tryon"
PROFILES = ("cpu", "gpu", "onnx", IN_PROCESS)  # every --model-config-name that serves


def write(repository: Path, manifest: dict[str, Any]) -> None:
    """Write the files, if the model has a config.pbtxt."""
    model = repository / MODEL
    if not (model / "config.pbtxt").exists():
        return
    exported = describe(manifest)
    config = read_model_config(model)
    served = {
        "checkpoint": exported.checkpoint,
        "profile": exported.profile,
        "precision": exported.precision,
        "loras": list(exported.loras),
        "family": exported.family,
        "licence": exported.licence,
        "stand_ins": list(exported.stand_ins),
    }
    config.parameters["served"].string_value = json.dumps(served)
    (model / "configs").mkdir(exist_ok=True)
    _write_postprocess(repository)
    max_rows = int(config.parameters["max_rows"].string_value)
    for profile in PROFILES:
        rows = min([max_rows, *_largest_batches(repository, profile)])
        config.parameters["max_rows"].string_value = str(rows)
        if profile == IN_PROCESS:
            config.parameters[PLACEMENT].string_value = "in tryon's process"
        (model / "configs" / f"{profile}.pbtxt").write_text(
            "# Written by the export: ../config.pbtxt with the parameter `served`, which /health shows, and\n"
            "# with no more rows than the denoiser takes in this profile.\n"
            + text_format.MessageToString(config, as_utf8=True)
        )


def _write_postprocess(repository: Path) -> None:
    """In `tryon`'s process the networks' picture is rounded before it leaves the device."""
    model = repository / "postprocess"
    if not (model / "config.pbtxt").exists():
        return
    config = read_model_config(model)
    for tensor in config.input:
        if tensor.name == PICTURE:
            tensor.data_type = TYPE_UINT8
    (model / "configs").mkdir(exist_ok=True)
    (model / "configs" / f"{IN_PROCESS}.pbtxt").write_text(
        "# Written by the export: ../config.pbtxt with the picture in 0 to 255, as the networks in tryon's\n"
        "# process give it.\n" + text_format.MessageToString(config, as_utf8=True)
    )


def _largest_batches(repository: Path, profile: str) -> list[int]:
    """The `max_batch_size` of each denoiser of the exported recipes."""
    try:
        served = json.loads((repository / MODEL / "1" / "pipeline.json").read_text())
        denoisers = {served[mode]["unet"] for mode in ("keyframe", "capture")}
        return [read_model_config(repository / name, profile).max_batch_size for name in denoisers]
    except FileNotFoundError:  # nothing is exported, or a part
        return []
