"""What is trained is what the export fuses: a network with peft's LoRA, and the base with the file in it."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from export.lora import Lora, fuse_tuned
from training.finetune.adapters import add_lora, parameters
from training.finetune.lora_file import write_lora


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv2d(3, 4, 3, padding=1)
        self.said = nn.Linear(4, 2)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.said(self.seen(picture).mean(dim=(2, 3)))


@torch.no_grad()
def test_the_base_with_the_file_fused_computes_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    base, picture = Network().eval(), torch.randn(2, 3, 8, 8)
    trained = copy.deepcopy(base)
    assert add_lora(trained, rank=2) == 2
    assert torch.equal(trained(picture), base(picture)), "it changes nothing before it is trained"
    for parameter in parameters(trained):
        parameter.normal_()
    write_lora({"unet": trained}, {}, tmp_path / "lora.safetensors")
    fused = copy.deepcopy(base)
    [told] = fuse_tuned({"unet": fused}, [Lora(tmp_path / "lora.safetensors")])
    assert told.modules == 2
    assert not torch.allclose(fused(picture), base(picture), rtol=0.1)
    torch.testing.assert_close(fused(picture), trained(picture))


def test_only_modules_of_the_wanted_names_get_one() -> None:
    network = Network()
    assert add_lora(network, rank=2, wanted="said") == 1
    assert all("said" in name for name, it in network.named_parameters() if it.requires_grad)
    with pytest.raises(ValueError, match="none of the modules' names matches attn"):
        add_lora(Network(), rank=2, wanted="attn.*")
