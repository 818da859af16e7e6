"""LoRAs fused into a UNet: W ← W + w · (α / r) · B·A (Hu et al., "LoRA", ICLR 2022).

A fused LoRA costs nothing at run time. A DoRA (Liu et al., ICML 2024) also has the magnitude m of each row:
W ← W + w · (m · (W + ΔW) / ‖W + ΔW‖ − W), with ΔW = (α / r) · B·A.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ExportError
from export.lora_strength import adapter_config

if TYPE_CHECKING:  # importing torch takes seconds, and parsing LORAS does not need it
    from torch import Tensor

    from export.lora_file import Part

# What diffusers and PEFT call the file in a folder.
_IN_FOLDER = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")

# In the metadata of the files of training.finetune.
TUNED = "lucy_serve"


@dataclass(frozen=True)
class Lora:
    """A file and the weight that it is fused with."""

    path: Path
    weight: float = 1.0

    @property
    def files(self) -> list[Path]:
        """Every file that decides what is fused."""
        config = adapter_config(self.path)
        return [self.path] if config is None else [self.path, config]


@dataclass(frozen=True)
class Fused:
    """The result for one file: modules changed, tensors of the text encoder left out.

    modes: `keyframes`, or `all` for a LoRA of training.finetune.
    """

    path: str
    weight: float
    modules: int
    left_out: int
    modes: str = "keyframes"


def parse_loras(text: str) -> list[Lora]:
    """The LoRAs of `path:weight,…`; the weight is 1 if it is missing. Raises ExportError.

    A path may contain commas and colons: what lies on the disk decides where it ends.
    """
    pieces = text.split(",")
    if (found := _parse(pieces)) is not None:
        return found
    # For the error: the first entry that names no file, as if no path contained a comma.
    for entry in filter(None, (piece.strip() for piece in pieces)):
        if _entry(entry) is None:
            raise ExportError(_entry_fault(entry))
    raise ExportError(f"LORAS is {text!r}: it must be path:weight,path:weight,…")


def _parse(pieces: list[str]) -> list[Lora] | None:
    """The LoRAs of the pieces between commas, of which several may be one path; None if that cannot be."""
    if not "".join(pieces).strip():
        return []
    for end in range(1, len(pieces) + 1):
        entry = ",".join(pieces[:end]).strip()
        lora = _entry(entry)
        if (lora is None and entry) or (rest := _parse(pieces[end:])) is None:
            continue
        return rest if lora is None else [lora, *rest]
    return None


def _entry(entry: str) -> Lora | None:
    """The LoRA if the entry is a file's path, or one with a colon and a weight."""
    if (path := _file(entry)) is not None:
        return Lora(path)
    name, colon, number = entry.rpartition(":")
    path = _file(name.strip()) if colon else None
    weight = _weight(number)
    return None if path is None or weight is None else Lora(path, weight)


def _entry_fault(entry: str) -> str:
    name, colon, number = entry.rpartition(":")
    if colon and _weight(number) is None and _file(name) is not None:
        return f"LORAS contains {entry!r}: each entry must be path:weight with a number for weight"
    return f"there is no LoRA file {name if colon and _weight(number) is not None else entry}"


def _file(name: str) -> Path | None:
    """The file of this name, or the LoRA in the folder of this name."""
    if not name:
        return None
    try:
        path = Path(name).expanduser()
        candidates = [path, *(path / within for within in _IN_FOLDER)]
        return next((it for it in candidates if it.is_file()), None)
    except (OSError, RuntimeError, ValueError):  # a name that cannot be one: too long, with a NUL, ~nobody
        return None


def _weight(number: str) -> float | None:
    try:
        weight = float(number)
    except ValueError:
        return None
    return weight if math.isfinite(weight) else None


def fuse(unet: Any, loras: Iterable[Lora], within: str = "") -> list[Fused]:
    """Add every LoRA to `unet`'s weights, in place. The order of the LoRAs does not matter.

    within: as in `read_lora`.
    Raises ExportError if a LoRA does not fit; `unet` is then partly changed, so pass a copy.
    """
    import torch

    from export.lora_file import read_lora

    modules = dict(unet.named_modules())
    files = [(lora, read_lora(lora.path, modules, within)) for lora in loras]
    for name in dict.fromkeys(name for _, file in files for name in file.parts):
        weight = modules[name].weight
        with torch.no_grad():
            original = weight.float()
            change = torch.zeros_like(original)
            for lora, file in files:
                if (part := file.parts.get(name)) is not None:
                    change += lora.weight * _difference(lora.path, part, original)
            weight += change.to(weight.dtype)
    return [Fused(str(lora.path), lora.weight, len(file.parts), file.left_out) for lora, file in files]


def is_tuned(path: Path) -> bool:
    """Whether it is a LoRA of training.finetune, which is meant for every mode. Raises ExportError."""
    from export.lora_file import read_metadata

    return TUNED in read_metadata(path)


def fuse_tuned(networks: Mapping[str, Any], loras: Iterable[Lora]) -> list[Fused]:
    """Add LoRAs of training.finetune to the checkpoint's own networks, in place, so for every mode.

    networks: by the prefixes of their tensors, as `LoraTarget.networks`.
    Raises ExportError if a LoRA does not fit; the networks are then partly changed.
    """
    from export.lora_file import prefixes

    counts = {}
    loras = list(loras)
    for lora in loras:
        if other := prefixes(lora.path) - set(networks):
            raise ExportError(
                f"{lora.path} does not fit this checkpoint: it changes {sorted(other)[0]}, and of this one "
                f"LoRAs change {', '.join(networks)}"
            )
        counts[lora.path] = 0
    for prefix, network in networks.items():
        inside = [lora for lora in loras if prefix in prefixes(lora.path)]
        for lora, fused in zip(inside, fuse(network, inside, prefix), strict=True):
            counts[lora.path] += fused.modules
    return [Fused(str(lora.path), lora.weight, counts[lora.path], 0, "all") for lora in loras]


def _difference(path: Path, part: Part, weight: Tensor) -> Tensor:
    """What the part adds to its module's `weight`, with the LoRA's own weight 1."""
    # A convolution's A is (r, in, k, k) and its B (out, r, 1, 1).
    product = part.up.flatten(1) @ part.down.flatten(1)
    if product.numel() != weight.numel() or product.shape[0] != weight.shape[0]:
        raise ExportError(
            f"{path} does not fit this checkpoint: {part.stem} has the shape {tuple(product.shape)} "
            f"in the LoRA and {tuple(weight.shape)} in the UNet"
        )
    changed = weight + part.scale * product.reshape(weight.shape)
    if part.magnitude is not None or part.dora_scale is not None:
        changed = _with_magnitude(path, part, changed)
    return changed - weight


def _with_magnitude(path: Path, part: Part, changed: Tensor) -> Tensor:
    """m · (W + ΔW) / ‖W + ΔW‖, with the norm over each output, or over each input if m is so shaped."""
    import torch

    rows, columns = changed.shape[:2]
    others = [1] * (changed.dim() - 2)
    if part.magnitude is not None and part.dora_scale is not None:
        raise ExportError(f"{path} is broken: {part.stem} has two magnitudes")
    if part.magnitude is not None:  # PEFT's is flat, and (1, out, 1, 1) for convolutions
        magnitude, per_row = part.magnitude, part.magnitude.numel() == rows
    else:  # kohya's has the weight's dimensions
        assert part.dora_scale is not None
        magnitude = part.dora_scale
        per_row = magnitude.shape[:1] == (rows,) and magnitude.numel() == rows
    per_column = not per_row and part.dora_scale is not None and magnitude.numel() == columns
    if not per_row and not per_column:
        raise ExportError(
            f"{path} does not fit this checkpoint: the magnitude of {part.stem} has the shape "
            f"{tuple(magnitude.shape)}, and the weight has {tuple(changed.shape)}"
        )
    kept = 0 if per_row else 1
    over = [dim for dim in range(changed.dim()) if dim != kept]
    norm = torch.linalg.vector_norm(changed, dim=over, keepdim=True)
    shape = [rows, 1, *others] if per_row else [1, columns, *others]
    return magnitude.reshape(shape) * changed / norm.clamp_min(1e-12)
