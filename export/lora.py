"""LoRAs fused into a UNet: W ← W + w · (α / r) · B·A (Hu et al., "LoRA", ICLR 2022).

A fused LoRA costs nothing at run time. For each module that it changes, a file contains A ("down", r × in),
B ("up", out × r) and often α. There are two naming schemes, diffusers' and kohya's, in which dots are
underscores; both are read. Tensors for the text encoder are skipped and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ExportError

if TYPE_CHECKING:  # importing torch takes seconds, and parsing LORAS does not need it
    from torch import Tensor

_DOWN = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", ".down.weight")
_UP = (".lora_up.weight", ".lora_B.weight", ".lora.up.weight", ".up.weight")
_UNET = ("lora_unet_", "unet.", "base_model.model.unet.")
_TEXT_ENCODER = ("lora_te_", "lora_te1_", "lora_te2_", "text_encoder.", "text_encoder_2.")


@dataclass(frozen=True)
class Lora:
    """A file and the weight that it is fused with."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Fused:
    """The result for one file: UNet modules changed, tensors of the text encoder left out."""

    path: str
    weight: float
    modules: int
    left_out: int


def parse_loras(text: str) -> list[Lora]:
    """The LoRAs of `path:weight,…`; the weight is 1 if it is missing. Raises ExportError."""
    loras = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        path, colon, weight = part.rpartition(":")
        if not colon:
            path, weight = part, "1"
        try:
            loras.append(Lora(Path(path), float(weight)))
        except ValueError:
            raise ExportError(
                f"LORAS contains {part!r}: each entry must be path:weight with a number for weight"
            ) from None
        if not loras[-1].path.is_file():
            raise ExportError(f"there is no LoRA file {path}")
    return loras


def fuse(unet: Any, loras: Iterable[Lora]) -> list[Fused]:
    """Add every LoRA to `unet`'s weights, in place.

    Raises ExportError if a LoRA does not fit; `unet` is then partly changed, so pass a copy.
    """
    return [_fuse_one(unet, lora) for lora in loras]


def _fuse_one(unet: Any, lora: Lora) -> Fused:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(lora.path)
    except (SafetensorError, OSError) as error:
        raise ExportError(f"{lora.path} is not a safetensors file: {error}") from error
    modules = {name.replace(".", "_"): module for name, module in unet.named_modules()}
    skipped = {name for name in tensors if name.startswith(_TEXT_ENCODER)}
    changed = 0
    for name in sorted(tensors.keys() - skipped):
        suffix = next((end for end in _DOWN if name.endswith(end)), None)
        if suffix is None:
            continue
        stem = name.removesuffix(suffix)
        module = modules.get(_module_name(stem))
        if module is None or getattr(module, "weight", None) is None:
            raise ExportError(f"{lora.path} does not fit this checkpoint: its UNet has no {stem}")
        up = tensors.get(stem + _UP[_DOWN.index(suffix)])
        if up is None:
            raise ExportError(f"{lora.path} is broken: {stem} has a down matrix but no up matrix")
        delta = _delta(tensors[name].float(), up.float(), tensors.get(f"{stem}.alpha"))
        weight = module.weight
        if delta.numel() != weight.numel() or delta.shape[0] != weight.shape[0]:
            raise ExportError(
                f"{lora.path} does not fit this checkpoint: {stem} has the shape {tuple(delta.shape)} "
                f"in the LoRA and {tuple(weight.shape)} in the UNet"
            )
        with torch.no_grad():
            weight += (lora.weight * delta.reshape(weight.shape)).to(weight.dtype)
        changed += 1
    if not changed:
        raise ExportError(
            f"{lora.path} changes no UNet module: it is not a LoRA of the Stable Diffusion class"
        )
    return Fused(str(lora.path), lora.weight, changed, len(skipped))


def _module_name(stem: str) -> str:
    """The module's name with underscores for dots, from either naming scheme."""
    for prefix in _UNET:
        stem = stem.removeprefix(prefix)
    # Before diffusers 0.22, attention processors contained LoRAs: ….attn1.processor.to_q_lora.down.weight
    stem = stem.replace(".processor.", ".").removesuffix("_lora")
    return stem.replace(".to_out", ".to_out.0").replace(".to_out.0.0", ".to_out.0").replace(".", "_")


def _delta(down: Tensor, up: Tensor, alpha: Tensor | None) -> Tensor:
    """(α / r) · B·A; a convolution's A is (r, in, k, k) and its B (out, r, 1, 1)."""
    rank = down.shape[0]
    scale = alpha.item() / rank if alpha is not None else 1.0
    return scale * (up.flatten(1) @ down.flatten(1))
