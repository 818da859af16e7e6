"""Loads one network of a checkpoint: diffusers' or transformers', in single precision."""

from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line
from export.weights import find_weights


def load_network(kind: Any, folder: Path, part: str, **options: Any) -> Any:
    """The network in single precision. Raises ExportError if its file does not have all its weights."""
    import torch

    weights = find_weights(folder, part)
    try:
        network, report = kind.from_pretrained(
            folder / part,
            torch_dtype=torch.float32,
            variant=weights.variant,
            use_safetensors=weights.safetensors,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # four libraries raise their own errors for a broken file
        raise ExportError(
            f"{weights.files[0]} does not load as the {kind.__name__} of {folder / part / 'config.json'}: "
            f"{first_line(error)}"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ExportError(
            f"{weights.files[0]} lacks {len(missing)} of the weights of {folder / part / 'config.json'}, "
            f"such as {missing[0]}"
        )
    return network.float()
