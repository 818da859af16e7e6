"""The settings that profile gpu reads inside Triton; serving/settings.py has all settings."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

TensorMemory = Literal["auto", "gpu", "cpu"]


class GpuSettings(BaseSettings):
    """Imported in Python processes of Triton, so it imports nothing of the proxy."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    tensor_memory: TensorMemory = Field(
        "auto",
        description="where the networks of profile gpu put tensors for the next model; auto: on the GPU, if "
        "its driver can share memory between processes",
    )
