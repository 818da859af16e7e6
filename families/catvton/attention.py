"""CatVTON's self-attention weights, merged into the UNet that it builds on.

The file numbers the modules of a list instead of naming them. Each self-attention takes eight numbers: of
itself, `to_q`, `to_k`, `to_v`, `to_out`, `to_out.0`, `to_out.1` and its processor. Its tensors have the first
number; with the others they may be there again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ExportError

if TYPE_CHECKING:  # importing torch takes seconds, and a look at the keys does not need it
    from torch import Tensor, nn

# The tensors of one self-attention, and what else they may be called: the offset to its number, and a name.
TENSORS = {
    "to_q.weight": ((1, "weight"),),
    "to_k.weight": ((2, "weight"),),
    "to_v.weight": ((3, "weight"),),
    "to_out.0.weight": ((4, "0.weight"), (5, "weight")),
    "to_out.0.bias": ((4, "0.bias"), (5, "bias")),
}
NUMBERS = 8  # of one self-attention
# The order in which a UNet makes its blocks, and so the order of the file: the middle block is the last.
_ORDER = ("down_blocks.", "up_blocks.", "mid_block.")
_KEY = re.compile(r"(?P<number>\d+)\.(?P<name>.+)")


def self_attentions(unet: nn.Module) -> list[str]:
    """The names of the UNet's self-attentions, in the file's order."""
    names = [name for name, _ in unet.named_modules() if name.endswith(".attn1")]
    return sorted(names, key=lambda name: [name.startswith(block) for block in _ORDER].index(True))


def merge(unet: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Replace the weights of every self-attention. Raises ExportError unless each tensor has its place.

    path: of the file, for the error.
    """
    names = self_attentions(unet)
    state = unet.state_dict()
    merged = {}
    for number, name in enumerate(names):
        for tensor in TENSORS:
            key, place = f"{NUMBERS * number}.{tensor}", f"{name}.{tensor}"
            if key not in tensors:
                raise ExportError(
                    f"{path} lacks {key}, of the {len(names) * len(TENSORS)} tensors of CatVTON's "
                    "self-attentions"
                )
            found, wanted = tuple(tensors[key].shape), tuple(state[place].shape)
            if found != wanted:
                raise ExportError(
                    f"{path} does not fit its base: {key} has the shape {found}, and {place} of the base "
                    f"{wanted}"
                )
            merged[place] = tensors[key].float()
    _check_others(tensors, len(names), path)
    unet.load_state_dict(merged, strict=False)


def _check_others(tensors: Mapping[str, Tensor], count: int, path: Path) -> None:
    """Raises ExportError for a key that is neither one of the tensors nor an equal alias of one."""
    for key, tensor in tensors.items():
        owner = _owner(key)
        if owner is None or owner not in tensors or int(owner.partition(".")[0]) >= NUMBERS * count:
            raise ExportError(f"{path} contains {key}, which belongs to no self-attention of its base")
        if not tensors[owner].equal(tensor):
            raise ExportError(f"{path} is broken: {key} and {owner} are the same tensor, and they differ")


def _owner(key: str) -> str | None:
    """The key of the tensor that `key` names; None if there is none."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    first, offset = divmod(int(match["number"]), NUMBERS)
    for tensor, aliases in TENSORS.items():
        if (offset, match["name"]) in ((0, tensor), *aliases):
            return f"{NUMBERS * first}.{tensor}"
    return None


def is_attention_file(keys: Iterable[str]) -> bool:
    """Whether a file's keys are those of such a list of self-attentions."""
    owners = {_owner(key) for key in keys}
    return "0.to_q.weight" in owners and None not in owners
