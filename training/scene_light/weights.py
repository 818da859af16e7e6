"""Puts the trained light reader into a checkpoint's folder."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save

from pipeline.light.light_reader import LightReader
from training.files import whole

FOLDER, FILE = "light_reader", "model.safetensors"


def read_weights(network: LightReader, checkpoint: Path) -> None:
    state = load_file(checkpoint / FOLDER / FILE)
    network.load_state_dict({
        name: weight.float() if weight.is_floating_point() else weight for name, weight in state.items()
    })  # fmt: skip


def write_weights(network: LightReader, checkpoint: Path) -> Path:
    """In half precision, which costs less than 0.01 dB; what is not learnt is left out."""
    path = checkpoint / FOLDER / FILE
    state = {
        name: (weight.half() if weight.dtype == torch.float32 else weight).contiguous()
        for name, weight in network.state_dict().items()
    }
    with whole(path) as file:
        file.write(save(state))
    return path
