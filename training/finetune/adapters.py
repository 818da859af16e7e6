"""LoRAs of peft in a network: added, read, and written (Hu et al., "LoRA", ICLR 2022)."""

import re
from collections.abc import Mapping

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

_NAME = "default"


def add_lora(network: nn.Module, rank: int, wanted: str = ".*") -> int:
    """Put a LoRA into each linear layer and convolution whose name matches; everything else is frozen.

    It changes nothing yet, since B is 0. Returns how many modules have one. Raises ValueError for none.
    """
    network.requires_grad_(False)
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and re.fullmatch(wanted, name)
    ]
    if not names:
        raise ValueError(f"none of the modules' names matches {wanted}")
    targets = "|".join(map(re.escape, names))
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), network)
    for parameter in parameters(network):
        parameter.data = parameter.data.float()
    return len(names)


def parameters(network: nn.Module) -> list[nn.Parameter]:
    """Of the LoRAs."""
    return [it for it in network.parameters() if it.requires_grad]


def file_tensors(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """A and B of each module by the names of the file, `<network>.<module>.lora_A.weight`."""
    found = {}
    for prefix, network in networks.items():
        for name, module in network.named_modules():
            if isinstance(down := getattr(module, "lora_A", None), nn.ModuleDict) and _NAME in down:
                up = module.lora_B
                assert isinstance(up, nn.ModuleDict)
                for end, layer in (("lora_A", down[_NAME]), ("lora_B", up[_NAME])):
                    weight = layer.get_parameter("weight").detach()
                    found[f"{prefix}.{name}.{end}.weight"] = weight.float().cpu().contiguous()
    return found


class Average:
    """The moving average (Polyak) of parameters, whose window is short at first."""

    def __init__(self, parameters: list[nn.Parameter], decay: float = 0.995):
        self._parameters, self._decay = parameters, decay
        self.values = [it.detach().clone() for it in parameters]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        decay = min(self._decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.values, self._parameters, strict=True):
            mine.lerp_(theirs, 1 - decay)

    def __enter__(self) -> None:
        """Within a `with` block the network has the average."""
        self._exchange()

    def __exit__(self, *_: object) -> None:
        self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for mine, theirs in zip(self.values, self._parameters, strict=True):
            kept = theirs.detach().clone()
            theirs.copy_(mine)
            mine.copy_(kept)
