"""Finds the weights of a network in a diffusers folder, where they may have several names and formats."""

import re
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.files import check_weights, read_json

# How the files of a network begin, by their format: those of transformers, and those of diffusers.
_TRANSFORMERS = {"safetensors": "model", "bin": "pytorch_model"}
_DIFFUSERS = dict.fromkeys(("safetensors", "bin"), "diffusion_pytorch_model")
_OF_TRANSFORMERS = ("text_encoder", "text_encoder_2", "image_encoder")
PARTS = ("text_encoder", "unet", "vae")


@dataclass(frozen=True)
class Weights:
    """The weights of one network: one file, or several that an index lists.

    variant: the word in the files' names, such as `fp16`; None: there is none.
    """

    files: tuple[Path, ...]
    variant: str | None
    safetensors: bool


def stems(part: str) -> dict[str, str]:
    """How the files of this network begin, by their format."""
    return _TRANSFORMERS if part in _OF_TRANSFORMERS else _DIFFUSERS


def has_weights(checkpoint: Path, part: str) -> bool:
    return _find(checkpoint, part) is not None


def find_weights(checkpoint: Path, part: str) -> Weights:
    """The best that there are: single precision before `fp16`, safetensors before pickles.

    part: its folder; "" where the checkpoint is one network.
    Raises ExportError, which names the file, if there are none or one is missing or broken.
    """
    found = _find(checkpoint, part)
    if found is None:
        names = " or ".join(f"{stem}.{kind}" for kind, stem in stems(part).items())
        raise ExportError(f"{checkpoint} is incomplete: {checkpoint / part} has no weights ({names})")
    for path in found.files:
        if not path.is_file():
            raise ExportError(f"{checkpoint} is incomplete: {path} is missing")
        check_weights(path)
    return found


def _find(checkpoint: Path, part: str) -> Weights | None:
    folder = checkpoint / part
    names = {path.name for path in folder.glob("*") if path.is_file()}
    for variant in (None, *_variants(part, names)):
        for kind, stem in stems(part).items():
            single = f"{stem}.{variant}.{kind}" if variant else f"{stem}.{kind}"
            if single in names:
                return Weights((folder / single,), variant, kind == "safetensors")
            index = f"{stem}.{kind}.index.{variant}.json" if variant else f"{stem}.{kind}.index.json"
            if index in names:
                return Weights(_shards(folder / index), variant, kind == "safetensors")
    return None


def _variants(part: str, names: set[str]) -> list[str]:
    """The variants that the names show, `fp32` first and `fp16` before others."""
    found = set()
    for kind, stem in stems(part).items():
        pattern = rf"{stem}\.(\w+)\.{kind}|{stem}\.{kind}\.index\.(\w+)\.json"
        found |= {match[1] or match[2] for name in names if (match := re.fullmatch(pattern, name))}
    return sorted(found, key=lambda variant: (variant != "fp32", variant != "fp16", variant))


def _shards(index: Path) -> tuple[Path, ...]:
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(isinstance(it, str) for it in listed.values()):
        raise ExportError(f"{index} lists no files in its weight_map")
    return tuple(index.parent / name for name in sorted(set(listed.values())))
