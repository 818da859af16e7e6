"""Where networks are trained, and in which precision."""

import torch


def chosen_device(name: str | None = None) -> torch.device:
    """The device of that name; without one, a GPU of CUDA if there is one, else the processor."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster there: processors without it emulate it with float32, which is slower."""
    return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
