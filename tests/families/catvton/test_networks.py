import numpy as np
import torch

from families.catvton.family import UNET
from tests.families.catvton.vectors import load


def test_the_unet_computes_what_upstream_computes(stages):
    """Each block's second norm is part of it, though the attention behind it is not: h + LN2(h)."""
    vector = load("unet_forward")
    with torch.no_grad():
        found = stages[UNET].module(
            torch.from_numpy(vector["sample"]), torch.from_numpy(vector["timestep"]).float()
        )
    assert np.abs(found.numpy() - vector["output"]).max() < 1e-4


def test_the_dead_weights_of_cross_attention_are_not_exported(stages):
    names = [name for name, _ in stages[UNET].module.named_parameters()]
    assert not [name for name in names if ".attn2." in name]
    assert [name for name in names if ".norm2." in name]
