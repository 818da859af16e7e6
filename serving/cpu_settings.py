"""The settings that the CPU profile's networks read inside Triton; serving/settings.py has all settings."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

CpuRuntime = Literal["auto", "onnxruntime", "openvino"]


class CpuSettings(BaseSettings):
    """Imported in every Python process of Triton, so it imports nothing of the proxy."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    cpu_runtime: CpuRuntime = Field(
        "auto",
        description="what runs the networks of profile cpu; auto: for each the fastest that was measured",
    )
