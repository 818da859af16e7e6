"""Finds and loads a checkpoint of FASHN VTON 1.5: `model.safetensors` alone, as on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ExportError, first_line
from export.files import check_weights, read_json
from families.fashn_vton.sizes import Shapes, Sizes, read_sizes

if TYPE_CHECKING:  # importing torch takes seconds, and recognising a checkpoint does not need it
    from families.fashn_vton.networks import MMDiT

WEIGHTS = "model.safetensors"
# Files beside it, none of which the released checkpoint has.
CONFIGURATION = ("config.json", "pipeline.json")
MODEL_TYPE = "tryon_mmdit"
# No other network has these together.
_SIGNATURE = {
    "x_embedder.proj.weight",
    "garment_embedder.proj.weight",
    "double_blocks.0.img_attn.qkv.weight",
    "final_layer.linear.weight",
}
# A leftover of the training.
_UNUSED = {"patch_mixer_token"}


def weights_of(path: Path) -> Path:
    """The weights of a folder, or the file itself."""
    return path / WEIGHTS if path.is_dir() else path


def folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def files(path: Path) -> list[Path]:
    """Every file that decides what is exported."""
    beside = (folder_of(path) / name for name in CONFIGURATION)
    return [weights_of(path), *(it for it in beside if it.is_file())]


def recognise(path: Path) -> bool:
    """Whether this folder or file is FASHN VTON: by its config.json, or by the names of its tensors."""
    if path.is_dir() and (path / "model_index.json").is_file():
        return False
    if _config(path).get("model_type") == MODEL_TYPE:
        return True
    weights = weights_of(path)
    if weights.suffix != ".safetensors" or not weights.is_file():
        return False
    try:
        return set(_shapes(weights)) >= _SIGNATURE
    except Exception:  # safetensors raises its own errors; what cannot be read is nobody's
        return False


def check(path: Path) -> Sizes:
    """The network's sizes. Raises ExportError if the checkpoint's files are not whole."""
    weights = weights_of(path)
    if not weights.is_file():
        raise ExportError(f"{path} is an incomplete FASHN VTON checkpoint: {weights} is missing")
    check_weights(weights)
    shapes = _shapes(weights)
    if missing := sorted(_SIGNATURE - set(shapes)):
        raise ExportError(f"{weights} is no FASHN VTON checkpoint: it has no {missing[0]}")
    return read_sizes(shapes, _config(path), str(path))


def load(path: Path) -> MMDiT:
    """The network in single precision, whatever that of its file. Raises ExportError."""
    import torch
    from safetensors.torch import load_file

    from families.fashn_vton.networks import MMDiT

    sizes, weights = check(path), weights_of(path)
    with torch.device("meta"):  # no memory and no time for random values
        network = MMDiT(sizes)
    try:
        tensors = {name: it for name, it in load_file(weights).items() if name not in _UNUSED}
    except Exception as error:  # safetensors raises its own errors
        raise ExportError(f"{weights} cannot be read: {first_line(error)}") from error
    _check_names(tensors, network.state_dict(), weights)
    for name in tensors:  # one by one, so that gigabytes are not there twice
        tensors[name] = tensors[name].float()
    network.load_state_dict(tensors, assign=True)
    return network.requires_grad_(False).eval()


def _check_names(found: dict[str, Any], wanted: dict[str, Any], weights: Path) -> None:
    """Raises ExportError, which names a tensor, if one is missing, too many or of another shape."""
    for fault, names in (
        ("lacks", wanted.keys() - found.keys()),
        ("does not belong to FASHN VTON: it has", found.keys() - wanted.keys()),
    ):
        if names:
            raise ExportError(f"{weights} {fault} {len(names)} tensors, such as {min(names)}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            raise ExportError(
                f"{weights} does not fit FASHN VTON: {name} has the shape {tuple(tensor.shape)} instead of "
                f"{tuple(wanted[name].shape)}"
            )


def _config(path: Path) -> dict[str, Any]:
    """config.json beside the weights; empty if there is none, as on the hub."""
    config = folder_of(path) / "config.json"
    if not config.is_file():
        return {}
    found = read_json(config)
    return found if found.get("model_type") == MODEL_TYPE or path.is_dir() else {}


def _shapes(weights: Path) -> Shapes:
    """The tensors' shapes by their names, from the file's header alone."""
    from safetensors import safe_open

    with safe_open(weights, "np") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
