"""The names that a UNet's modules have in the code of its authors, which kohya's LoRAs for SDXL use.

The authors number blocks in the order of the computation: `input_blocks.4.1` is what diffusers calls
`down_blocks.1.attentions.0`. The numbers follow from which blocks a UNet has, and so from its modules' names.
"""

from collections.abc import Iterable, Iterator
from itertools import count

_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_IN_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def original_names(modules: Iterable[str]) -> dict[str, str]:
    """The modules of a diffusers UNet by the names that they have in the authors' code."""
    known = set(modules)
    blocks = dict(_blocks(known))
    found = {original: name for name, original in _OUTSIDE.items() if name in known}
    for name in known:
        for end in range(len(name), 0, -1):
            if (end == len(name) or name[end] == ".") and (block := blocks.get(name[:end])) is not None:
                within = name[end + 1 :]
                if ".resnets." in name:
                    within = _IN_RESNET.get(within, within)
                found[f"{block}.{within}" if within else block] = name
                break
    return found


def _blocks(known: set[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a block's name in diffusers and its name in the authors' code."""
    number = 1  # input_blocks.0 is the first convolution
    for block in _numbered("down_blocks", known):
        for layer in _numbered(f"{block}.resnets", known):
            yield layer, f"input_blocks.{number}.0"
            yield layer.replace(".resnets.", ".attentions."), f"input_blocks.{number}.1"
            number += 1
        if (sampler := f"{block}.downsamplers.0") in known:
            yield f"{sampler}.conv", f"input_blocks.{number}.0.op"
            number += 1
    yield "mid_block.resnets.0", "middle_block.0"
    yield "mid_block.attentions.0", "middle_block.1"
    yield "mid_block.resnets.1", "middle_block.2"
    number = 0
    for block in _numbered("up_blocks", known):
        for layer in _numbered(f"{block}.resnets", known):
            yield layer, f"output_blocks.{number}.0"
            attention = layer.replace(".resnets.", ".attentions.")
            yield attention, f"output_blocks.{number}.1"
            last = f"output_blocks.{number}.{2 if attention in known else 1}"
            number += 1
        if (sampler := f"{block}.upsamplers.0") in known:
            yield f"{sampler}.conv", f"{last}.conv"


def _numbered(stem: str, known: set[str]) -> Iterator[str]:
    for number in count():
        if (name := f"{stem}.{number}") not in known:
            return
        yield name
