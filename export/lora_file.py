"""Reads a LoRA file: for each module that it changes, A ("down", r × in), B ("up", out × r), often α, and for
a DoRA the magnitude.

There are two naming schemes, diffusers' and kohya's, in which dots are underscores; for SDXL, kohya's names
are those of the UNet's authors (lora_names.py). All are read. Tensors for text encoders are counted and left
out. Any other tensor is refused: without it, the result would be another than was trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ExportError
from export.files import weights_fault
from export.lora_names import original_names
from export.lora_strength import Strength, read_strength

if TYPE_CHECKING:  # importing torch takes seconds, and parsing LORAS does not need it
    from torch import Tensor

# The tensors of one module, by the ends of their names. PEFT may name the adapter: lora_A.default.weight
_ENDS = {
    "down": r"\.(?:lora_down|lora_A(?:\.\w+)?|lora\.down|lora_linear_layer\.down|down)\.weight",
    "up": r"\.(?:lora_up|lora_B(?:\.\w+)?|lora\.up|lora_linear_layer\.up|up)\.weight",
    "alpha": r"\.alpha",
    "dora_scale": r"\.dora_scale",
    "magnitude": r"\.lora_magnitude_vector(?:\.\w+)?(?:\.weight)?",
}
_KEY = re.compile("(?P<stem>.+?)(?:" + "|".join(f"(?P<{kind}>{end})" for kind, end in _ENDS.items()) + ")")
_PREFIXES = ("base_model.model.", "lora_unet_", "unet.")
_TEXT = re.compile(
    r"(?:base_model\.model\.)?(?:lora_te\d?_|text_encoder(?:_\d)?\.|text_model\.)"
    r"|bundle_emb\."  # kohya's embeddings, words of the prompt
)
# What users call these tensors, by a part of their names.
_OTHER_KINDS = {
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    "lora_mid": "a Tucker core (LoCon with CP decomposition)",
    "diff_b": "the difference of a bias",
    "diff": "a full difference of weights",
    "oft_": "an OFT",
    "glora": "a GLoRA",
    ".a1.": "a GLoRA",
    "bias": "a bias",
}


@dataclass
class Part:
    """What the file says about one module."""

    stem: str
    down: Tensor
    up: Tensor
    scale: float
    dora_scale: Tensor | None = None
    magnitude: Tensor | None = None


@dataclass(frozen=True)
class LoraFile:
    """The parts by the module's name; `left_out` counts the tensors for text encoders."""

    parts: Mapping[str, Part]
    left_out: int


def read_lora(path: Path, modules: Mapping[str, Any], within: str = "") -> LoraFile:
    """Read the file for a UNet with these `modules`, by their names. Raises ExportError.

    within: a prefix of training.finetune's files; only its tensors are read, for the network of that prefix.
    """
    tensors, metadata = _load(path)
    strength = read_strength(path, metadata)
    if within:
        begin = f"{within}."
        tensors = {key.removeprefix(begin): it for key, it in tensors.items() if key.startswith(begin)}
    names = {name.replace(".", "_"): name for name in modules}
    names |= {key.replace(".", "_"): name for key, name in original_names(modules).items()}
    found: dict[str, dict[str, Tensor]] = {}
    left_out = 0
    for key in sorted(tensors):
        if not within and _TEXT.match(key):
            left_out += 1
            continue
        match = _KEY.fullmatch(key)
        if match is None:
            raise ExportError(f"{path} contains {_described(key)}, which is not read: nothing was fused")
        kind = match.lastgroup
        assert kind is not None
        of_stem = found.setdefault(match["stem"], {})
        if kind in of_stem:
            raise ExportError(f"{path} contains two {kind} tensors of {match['stem']}")
        of_stem[kind] = tensors[key].float()
    parts: dict[str, Part] = {}
    for stem, group in found.items():
        name = names.get(_module_name(stem))
        if name is None or getattr(modules[name], "weight", None) is None:
            raise ExportError(f"{path} does not fit this checkpoint: its UNet has no {stem}")
        if name in parts:
            raise ExportError(f"{path} changes {name} twice, as {parts[name].stem} and as {stem}")
        parts[name] = _part(path, stem, name, group, strength)
    if not parts and not within:
        raise ExportError(f"{path} changes no UNet module: it is not a LoRA of the Stable Diffusion class")
    return LoraFile(parts, left_out)


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own errors, OSError, TypeError for unknown types
        raise ExportError(f"{path} is not a safetensors file: {weights_fault(path, error)}") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Raises ExportError."""
    from safetensors import safe_open

    try:
        with safe_open(path, "np") as file:
            return file.metadata() or {}
    except Exception as error:  # as in `_load`
        raise ExportError(f"{path} is not a safetensors file: {weights_fault(path, error)}") from error


def prefixes(path: Path) -> set[str]:
    """Of the networks that a file of training.finetune changes."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return {key.partition(".")[0] for key in file.keys()}  # noqa: SIM118


def _part(path: Path, stem: str, name: str, group: Mapping[str, Tensor], strength: Strength) -> Part:
    for kind in ("down", "up"):
        if kind not in group:
            raise ExportError(f"{path} is broken: {stem} has {' and '.join(group)}, but has no {kind} matrix")
    down, up = group["down"], group["up"]
    if down.dim() < 2 or up.dim() < 2 or up.flatten(1).shape[1] != down.shape[0]:
        raise ExportError(
            f"{path} is broken: {stem} has a down matrix {tuple(down.shape)} and an up matrix "
            f"{tuple(up.shape)}, which do not fit each other"
        )
    if not all(bool(tensor.isfinite().all()) for tensor in group.values()):
        raise ExportError(f"{path} is broken: {stem} contains numbers that are not finite")
    alpha = group.get("alpha")
    if alpha is not None and alpha.numel() != 1:
        raise ExportError(f"{path} is broken: {stem}.alpha is not one number")
    scale = strength.scale(
        name, down.shape[0], None if alpha is None else alpha.item(), convolution=down[0, 0].numel() > 1
    )
    return Part(stem, down, up, scale, group.get("dora_scale"), group.get("magnitude"))


def _described(key: str) -> str:
    kind = next((kind for part, kind in _OTHER_KINDS.items() if part in key), None)
    return f"{key}, {kind}" if kind else key


def _module_name(stem: str) -> str:
    """The module's name with underscores for dots, from either naming scheme."""
    while prefix := next((it for it in _PREFIXES if stem.startswith(it)), None):
        stem = stem.removeprefix(prefix)
    # Before diffusers 0.22, attention processors contained LoRAs: ….attn1.processor.to_q_lora.down.weight
    stem = stem.replace(".processor.", ".").removesuffix("_lora")
    return stem.replace(".to_out", ".to_out.0").replace(".to_out.0.0", ".to_out.0").replace(".", "_")
