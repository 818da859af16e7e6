"""The LoRA as one file, which `make export LORAS=` fuses for every mode.

Tensors are named `<network>.<module>.lora_A.weight` and `.lora_B.weight`, as PEFT names them; α is the rank.
The metadata entry TUNED says what it was made of.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from export.lora import TUNED
from export.lora_file import read_metadata
from training.files import whole
from training.finetune.adapters import file_tensors


def write_lora(networks: Mapping[str, nn.Module], about: Mapping[str, Any], path: Path) -> None:
    """about: is read again by `read_about`, and must be JSON."""
    with whole(path) as file:
        file.write(save(file_tensors(networks), {TUNED: json.dumps(about)}))


def read_about(path: Path) -> dict[str, Any]:
    """Raises ExportError, and ValueError for a LoRA that was not made here."""
    told = read_metadata(path).get(TUNED)
    if told is None:
        raise ValueError(f"{path} is no LoRA of training.finetune")
    return dict(json.loads(told))
