"""A model's configuration in the repository, parsed as Triton parses it."""

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig


def read_model_config(model: Path, profile: str | None = None) -> ModelConfig:
    """The configuration of the folder `model` under `--model-config-name=profile`.

    That is `configs/profile.pbtxt` if the file exists, else `config.pbtxt`.
    Raises OSError, and text_format.ParseError if the file is not a configuration.
    """
    own = model / "configs" / f"{profile}.pbtxt"
    return parse_model_config(own if profile and own.exists() else model / "config.pbtxt")


def parse_model_config(path: Path) -> ModelConfig:
    """Raises OSError, and text_format.ParseError if the file is not a configuration."""
    config: ModelConfig = text_format.Parse(path.read_text(), ModelConfig())
    return config
