import torch
from torch import nn
from torch.nn import functional

from serving.stages.fused_norms import fuse_group_norms


class Network(nn.Module):
    """One norm before SiLU, one alone, and one whose output SiLU is not the only one to read."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(
            nn.GroupNorm(groups, 8, eps) for groups, eps in ((4, 1e-5), (2, 0.1), (8, 0.3))
        )
        for number, norm in enumerate(self.norms):
            nn.init.normal_(norm.weight, 1 + number)
            nn.init.normal_(norm.bias)

    def forward(self, x):
        x = functional.silu(self.norms[0](x))
        x = self.norms[1](x) * 2
        y = self.norms[2](x)
        return functional.silu(y) + y


def test_each_norm_is_one_call_with_the_silu_that_alone_follows_it():
    torch.manual_seed(0)
    network, x = Network().eval(), torch.randn(3, 8, 5, 4)
    called = []

    def group_norm(x, groups, weight, bias, eps, activate):
        called.append((groups, eps, activate))
        y = functional.group_norm(x, groups, weight, bias, eps)
        return functional.silu(y) if activate else y

    program = torch.export.export(network, (x,)).module()
    assert fuse_group_norms(program, group_norm) == 3
    with torch.no_grad():
        torch.testing.assert_close(program(x), network(x))
    assert called == [(4, 1e-5, True), (2, 0.1, False), (8, 0.3, False)]
