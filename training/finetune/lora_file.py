"""The LoRA as one file, which `make export LORAS=` fuses for every mode.

Tensors are named `<network>.<module>.lora_A.weight` and `.lora_B.weight`, as PEFT names them; α is the rank.
The metadata entry TUNED says what it was made of.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from export.lora import TUNED
from export.lora_file import read_metadata
from training.finetune.adapters import file_tensors


def write_lora(networks: Mapping[str, nn.Module], about: Mapping[str, Any], path: Path) -> None:
    """about: is read again by `read_about`, and must be JSON."""
    unfinished = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(file_tensors(networks), unfinished, {TUNED: json.dumps(about)})
    unfinished.replace(path)


def read_about(path: Path) -> dict[str, Any]:
    """Raises ExportError, and ValueError for a LoRA that was not made here."""
    told = read_metadata(path).get(TUNED)
    if told is None:
        raise ValueError(f"{path} is no LoRA of training.finetune")
    return dict(json.loads(told))
