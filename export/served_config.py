"""`tryon/configs/<profile>.pbtxt`: the entry's config.pbtxt with what is served as parameters.

A proxy reads them from Triton, and so also one on another machine knows which checkpoint it shows.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from serving.exported import describe
from serving.model_config import read_model_config

MODEL = "tryon"
PROFILES = ("cpu", "gpu", "onnx")  # every --model-config-name that serves


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
    for profile in PROFILES:
        (model / "configs" / f"{profile}.pbtxt").write_text(
            "# Written by the export: ../config.pbtxt with the parameter `served`, which /health shows.\n"
            + text_format.MessageToString(config, as_utf8=True)
        )
