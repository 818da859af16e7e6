"""Replaces the group norms of a program of torch.export, with the SiLU after them, by one function."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

# x (N, C, …), groups, weight, bias, eps, and whether SiLU follows.
GroupNorm = Callable[[Tensor, int, Tensor | None, Tensor | None, float, bool], Tensor]


def fuse_group_norms(module: GraphModule, group_norm: GroupNorm) -> int:
    """Changes the program; returns how many group norms it has."""
    norms = [node for node in module.graph.nodes if node.target is torch.ops.aten.group_norm.default]
    for norm in norms:
        users = list(norm.users)
        activate = len(users) == 1 and users[0].target is torch.ops.aten.silu.default
        last = users[0] if activate else norm
        with module.graph.inserting_before(last):
            fused = module.graph.call_function(group_norm, (*_arguments(norm), activate))
        last.replace_all_uses_with(fused)
        module.graph.erase_node(last)
        if activate:
            module.graph.erase_node(norm)
    module.recompile()
    return len(norms)


def _arguments(norm: Node) -> tuple[Any, ...]:
    """x, groups, weight, bias and eps; torch leaves out what has its default."""
    names = ("input", "num_groups", "weight", "bias", "eps")
    given = dict(zip(names, norm.args, strict=False)) | norm.kwargs
    return (*(given.get(name) for name in names[:4]), given.get("eps", 1e-5))
