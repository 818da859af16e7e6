"""The settings that profile gpu reads inside Triton; serving/settings.py has all settings."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

TensorMemory = Literal["auto", "gpu", "cpu"]
GpuRuntime = Literal["tensorrt", "tensorrt_rtx", "torch", "onnxruntime"]
GpuDevice = Literal["cuda", "cpu"]


class GpuSettings(BaseSettings):
    """Imported in Python processes of Triton, so it imports nothing of the proxy."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    tensor_memory: TensorMemory = Field(
        "auto",
        description="where the networks of profile gpu put tensors for the next model; auto: on the GPU, if "
        "its driver can share memory between processes",
    )
    gpu_runtime: Literal["auto"] | GpuRuntime = Field(
        "auto",
        description="what runs the networks of profile gpu inside tryon; auto: Triton itself where a "
        "tritonserver is installed, else the first of tensorrt, tensorrt_rtx, torch, onnxruntime that works",
    )
    gpu_device: GpuDevice = Field(
        "cuda",
        description="cpu: profile gpu computes the same on the processor, for tests and rehearsals",
    )
    cuda_graphs: bool = Field(
        True,
        description="whether the networks of profile gpu run as CUDA graphs; without, a step launches "
        "a thousand kernels one by one",
    )
