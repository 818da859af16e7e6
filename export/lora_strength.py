"""The scale that a LoRA was trained with: α / r, or α / √r if it is rank-stabilised (Kalajdzievski, 2023).

α stands in the tensors, in the file's metadata or in PEFT's `adapter_config.json` beside the file; in this
order. Where none of them has it, α is r.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.files import read_json

# PEFT gives its own files this name.
_PEFT_FILE = "adapter_model.safetensors"


@dataclass(frozen=True)
class Strength:
    """What a file says about α, apart from its tensors.

    pattern: α of the modules whose names end with a key, a regular expression.
    convolutions: α of convolutions larger than one pixel, which kohya trains with an α of their own.
    """

    alpha: float | None = None
    pattern: Mapping[str, float] = field(default_factory=dict)
    convolutions: float | None = None
    rank_stabilised: bool = False

    def scale(self, module: str, rank: int, in_tensors: float | None, convolution: bool) -> float:
        """The scale of one module, whose name has dots."""
        alpha = in_tensors
        if alpha is None:
            alpha = next(
                (value for key, value in self.pattern.items() if re.fullmatch(rf"(.*\.)?({key})", module)),
                None,
            )
        if alpha is None and convolution:
            alpha = self.convolutions
        if alpha is None:
            alpha = self.alpha
        if alpha is None:
            return 1.0
        return alpha / (math.sqrt(rank) if self.rank_stabilised else rank)


def adapter_config(lora: Path) -> Path | None:
    """The `adapter_config.json` that belongs to the file, if there is one."""
    config = lora.with_name("adapter_config.json")
    if not config.is_file():
        return None
    if lora.name == _PEFT_FILE or len(list(lora.parent.glob("*.safetensors"))) == 1:
        return config
    return None  # one file of many, and the configuration is of another


def read_strength(lora: Path, metadata: Mapping[str, str]) -> Strength:
    """From the file's metadata, or from `adapter_config.json` beside it. Raises ExportError."""
    if "lora_adapter_metadata" in metadata:
        where = f"{lora}: its metadata's lora_adapter_metadata"
        config = _parse(metadata["lora_adapter_metadata"], where)
        unets = {key.removeprefix("unet."): value for key, value in config.items() if key.startswith("unet.")}
        bare = {key: value for key, value in config.items() if "." not in key}
        return _of_peft(unets or bare, where)
    if "ss_network_alpha" in metadata:
        return _of_kohya(lora, metadata)
    path = adapter_config(lora)
    return Strength() if path is None else _of_peft(read_json(path), str(path))


def _of_peft(config: Mapping[str, Any], where: str) -> Strength:
    pattern = config.get("alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise ExportError(f"{where}: alpha_pattern is not an object of names and numbers")
    for key in pattern:
        try:
            re.compile(key)
        except re.error as error:
            raise ExportError(f"{where}: alpha_pattern's {key!r} is not a regular expression") from error
    return Strength(
        alpha=_number(config.get("lora_alpha"), where, "lora_alpha"),
        pattern={
            key: number
            for key, value in pattern.items()
            if (number := _number(value, where, f"alpha_pattern's {key}")) is not None
        },
        rank_stabilised=config.get("use_rslora") is True,
    )


def _of_kohya(lora: Path, metadata: Mapping[str, str]) -> Strength:
    where = f"{lora}: its metadata's"
    arguments: Mapping[str, Any] = {}
    if metadata.get("ss_network_args", "None") != "None":
        arguments = _parse(metadata["ss_network_args"], f"{where} ss_network_args")
    return Strength(
        alpha=_number(metadata["ss_network_alpha"], where, "ss_network_alpha"),
        convolutions=_number(arguments.get("conv_alpha"), where, "conv_alpha"),
    )


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ExportError(f"{where} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ExportError(f"{where} is not a JSON object")
    return found


def _number(value: object, where: str, name: str) -> float | None:
    """The finite number; None if there is none, which kohya writes as the word `None`."""
    if value is None or value == "None":
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # anything else raises
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise ExportError(f"{where}: {name} is {value!r}, not a number")
    return number
