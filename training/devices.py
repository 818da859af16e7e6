"""Where networks are trained, and in which precision."""

import torch


def chosen_device(name: str | None = None) -> torch.device:
    """The device of that name; without one, a GPU of CUDA if there is one, else the processor.

    Raises ValueError for one that this machine does not have.
    """
    there = torch.cuda.is_available()
    try:
        device = torch.device(name or ("cuda" if there else "cpu"))
    except RuntimeError as error:
        raise ValueError(f"{name} is no device: give cuda or cpu") from error
    if device.type == "cuda" and not there:
        raise ValueError(f"torch finds no GPU for {name}: see nvidia-smi, or give cpu")
    return device


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster there: processors without it emulate it with float32, which is slower."""
    return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
