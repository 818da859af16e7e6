"""The settings of the CPU profile's networks; serving/settings.py has all settings."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.stages.runtime import CpuRuntime, unknown_runtime


class CpuSettings(BaseSettings):
    """Also of the image that exports, which has no proxy."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    cpu_runtime: CpuRuntime = Field(
        "auto",
        description="what runs the networks of profile cpu; auto: for each the fastest that was measured",
    )


def read_cpu_runtime() -> CpuRuntime:
    """CPU_RUNTIME from the environment or `.env`. Raises CannotServe for a value that it cannot have."""
    try:
        return CpuSettings().cpu_runtime
    except ValidationError as error:
        raise unknown_runtime(error.errors()[0]["input"]) from error
