"""A model's configuration in the repository, as Triton reads it."""

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig


def read_model_config(model: Path, profile: str | None = None) -> ModelConfig:
    """Of the folder `model`, under `--model-config-name=profile`: `configs/profile.pbtxt` where there is one,
    else `config.pbtxt`.

    Raises OSError, and text_format.ParseError where the file is none.
    """
    own = model / "configs" / f"{profile}.pbtxt"
    path = own if profile and own.exists() else model / "config.pbtxt"
    config: ModelConfig = text_format.Parse(path.read_text(), ModelConfig())
    return config
