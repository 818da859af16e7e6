"""Reads the weights of a network by themselves, and gives them to a network that has none.

`from_pretrained` cannot: the checkpoint's keys belong to two networks of ours, or to none. The files are
mapped into memory, since TryonNet's has 12 GB.
"""

import pickle
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from export.errors import ExportError, first_line
from export.weights import find_weights

Weights = dict[str, Tensor]


def read_weights(checkpoint: Path, part: str) -> Weights:
    """All tensors of the network in the folder `part`. Raises ExportError, which names the file."""
    found = find_weights(checkpoint, part)
    weights: Weights = {}
    for path in found.files:
        weights |= _read_file(path)
    return weights


def _read_file(path: Path) -> Weights:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # A pickle can run any code, so only tensors are read from it.
        read = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise ExportError(f"{path} holds more than weights, which could run code, and is not read") from error
    except Exception as error:  # torch and safetensors raise many kinds
        raise ExportError(f"{path} cannot be read: {first_line(error)}") from error
    if not isinstance(read, dict) or not all(isinstance(it, Tensor) for it in read.values()):
        raise ExportError(f"{path} is not a dictionary of tensors")
    return read


def take(weights: Weights, prefix: str) -> Weights:
    """Moves the tensors whose names begin with `prefix` out of `weights`; they lose it."""
    names = [name for name in weights if name.startswith(prefix)]
    return {name.removeprefix(prefix): weights.pop(name) for name in names}


def assign(network: nn.Module, weights: Weights, source: Path) -> None:
    """Give `network` its weights, in single precision: all of them, and nothing else. Raises ExportError."""
    expected = network.state_dict()
    for fault, names in (
        ("lacks", expected.keys() - weights.keys()),
        ("has weights that are not of this network,", weights.keys() - expected.keys()),
    ):
        if names:
            raise ExportError(f"{source} {fault} {len(names)} in number, such as {min(names)}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise ExportError(
                f"{source}: {name} has the shape {tuple(tensor.shape)}, and its configuration wants "
                f"{tuple(expected[name].shape)}"
            )
    network.load_state_dict({name: it.float() for name, it in weights.items()}, assign=True)
