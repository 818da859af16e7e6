"""Group norms of large pictures, exact in ONNX Runtime and in torch, which an export is compared with.

torch's exporter writes a group norm as an InstanceNormalization, for which ONNX Runtime adds up all the
values of a group one after another in float32, and torch in a tree. At 1024 × 768 pixels and 4 channels a
group (as in Stable Diffusion's VAE), the largest error relative to float64, by the values:

    normal with mean 0         ONNX Runtime 6.6e-5   torch 1.3e-7   in rows 5.3e-7
    normal with mean 30                     1.0e-4         6.0e-7           6.3e-6
    a few outliers, × 100                   3.7e-4         1.3e-7           6.9e-7

So large norms are exported in rows: means are computed first of each row of pixels, and then of the rows.

    m  = mean over rows(mean over a row(x))
    σ² = mean over rows(‖row of x − m‖²) / length of a row
    y  = (x − m) / sqrt(σ² + ε) · weight + bias

torch on a CPU is as inexact where its tensors lie channels-last, which a VAE's attention makes of them for
more than one picture: its decoder is off by 2e-4 then, at that size, and by 6e-7 with contiguous tensors.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

# Of one group. Up to this many, ONNX Runtime's error was below 1e-5 even with outliers.
MOST_VALUES = 2**19


@contextmanager
def large_norms_in_rows(module: nn.Module, example: Mapping[str, Tensor]) -> Iterator[None]:
    """Within it, the module's large group norms compute as above.

    example: the module's inputs at the largest size; it decides which are large.
    """
    large = _large_norms(module, example)
    for norm in large:
        norm.forward = partial(in_rows, norm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in large:
            del norm.forward


def in_rows(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """What `norm` computes of x (B, C, …, W)."""
    rows = x.unflatten(1, (norm.num_groups, -1)).flatten(2, -2)  # (B, groups, rows, W)
    centred = rows - rows.mean(3, keepdim=True).mean(2, keepdim=True)
    lengths = torch.linalg.vector_norm(centred, dim=3, keepdim=True)
    variance = lengths.square().mean(2, keepdim=True) / rows.shape[3]
    y = (centred * torch.rsqrt(variance + norm.eps)).reshape(x.shape)
    if not norm.affine:
        return y
    channels = (-1, *[1] * (x.dim() - 2))
    return y * norm.weight.reshape(channels) + norm.bias.reshape(channels)


def _large_norms(module: nn.Module, example: Mapping[str, Tensor]) -> list[nn.GroupNorm]:
    """The group norms with groups of more than MOST_VALUES, found by running on shapes without values."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    large = []

    def look(norm: nn.GroupNorm, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0][0].numel() // norm.num_groups > MOST_VALUES:
            large.append(norm)

    norms = [it for it in module.modules() if isinstance(it, nn.GroupNorm)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        if norms:
            with FakeTensorMode(allow_non_fake_inputs=True) as fake, torch.no_grad():
                module(**{name: fake.from_tensor(tensor) for name, tensor in example.items()})
    finally:
        for hook in hooks:
            hook.remove()
    return list(dict.fromkeys(large))


@contextmanager
def contiguous_norms(module: nn.Module) -> Iterator[None]:
    """Within it, the module's group norms read contiguous tensors, of which torch is exact."""

    def contiguous(norm: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return inputs[0].contiguous(), *inputs[1:]

    norms = [it for it in module.modules() if isinstance(it, nn.GroupNorm)]
    hooks = [norm.register_forward_pre_hook(contiguous) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
