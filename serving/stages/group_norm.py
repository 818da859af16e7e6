"""Group norm and SiLU in one pass over memory, on a GPU, for tensors whose channels lie together.

torch's group norm for CUDA wants channels apart (NCHW), and cuDNN's fast convolutions want them together
(NHWC). So between two convolutions torch copies each tensor there and back, and SiLU reads and writes it once
more. Here statistics read it once, and norm and SiLU read and write it once:

    moments    each block of rows: mean and sum of squared distances of each channel
    combined   of a group, by Chan's rule; then, for each channel, y = silu(scale · x + shift)

Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979: no
difference of large sums is taken, so that float32 is enough.
"""

# mypy: allow-untyped-defs
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

_BLOCKS = 128  # of rows, at most, whose moments are computed apart: about the multiprocessors of a GPU
_TILE = 8192  # values that one program holds


def group_norm(
    x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activate: bool
) -> Tensor:
    """What torch.nn.functional.group_norm computes of x (N, C, …), and SiLU of that if `activate`.

    The kernels take tensors whose channels lie together, with weight and bias; others are left to torch.
    """
    rows = _rows(x)
    if rows is None or weight is None or bias is None:
        y = functional.group_norm(x, groups, weight, bias, eps)
        return functional.silu(y) if activate else y
    count, height, channels = rows.shape
    y = torch.empty_like(x)  # of the same layout
    width = triton.next_power_of_2(channels)
    tile = max(1, _TILE // width)
    block = triton.cdiv(triton.cdiv(height, _BLOCKS), tile) * tile
    blocks = triton.cdiv(height, block)
    moments = torch.empty((2, count, blocks, channels), device=x.device)
    factors = torch.empty((2, count, channels), device=x.device)
    _moments[(blocks, count)](x, moments, height, channels, count * blocks, block, tile, width)
    size = channels // groups
    _combine[(groups, count)](
        moments, factors, weight, bias, eps, height, channels, block, blocks,
        size, triton.next_power_of_2(blocks), triton.next_power_of_2(size),
    )  # fmt: skip
    _apply[(triton.cdiv(height, tile), count)](x, y, factors, height, channels, count, tile, width, activate)
    return y


def _rows(x: Tensor) -> Tensor | None:
    """x (N, C, …) as (N, rows, C) if it lies in memory like that, else None."""
    if x.ndim < 3:
        return None
    moved = x.movedim(1, -1)
    return moved.flatten(1, -2) if moved.is_contiguous() else None


@triton.jit
def _moments(x, moments, height, channels, entries, block, TILE: tl.constexpr, WIDTH: tl.constexpr):
    """Of one block of rows: each channel's mean, and the sum of its squared distances from that."""
    number, sample = tl.program_id(0), tl.program_id(1)
    columns = tl.arange(0, WIDTH)
    within = columns < channels
    mean = tl.zeros((WIDTH,), tl.float32)
    squares = tl.zeros((WIDTH,), tl.float32)
    first = number * block
    end = tl.minimum(first + block, height)
    start = x + sample.to(tl.int64) * height * channels
    for row in range(first, end, TILE):
        rows = row + tl.arange(0, TILE)
        mask = (rows < end)[:, None] & within[None, :]
        values = tl.load(start + rows[:, None] * channels + columns[None, :], mask, 0.0).to(tl.float32)
        added = tl.minimum(end - row, TILE).to(tl.float32)
        here = tl.sum(values, 0) / added
        distances = tl.where(mask, values - here[None, :], 0.0)
        before = (row - first).to(tl.float32)
        step = here - mean
        mean += step * (added / (before + added))
        squares += tl.sum(distances * distances, 0) + step * step * (before * added / (before + added))
    place = (sample * tl.num_programs(0) + number) * channels + columns
    tl.store(moments + place, mean, within)
    tl.store(moments + entries * channels + place, squares, within)


@triton.jit
def _combine(
    moments, factors, weight, bias, eps, height, channels, block, blocks,
    size, BLOCKS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Scale and shift of each channel of one group."""
    group, sample = tl.program_id(0), tl.program_id(1)
    entries = tl.num_programs(1)
    numbers, members = tl.arange(0, BLOCKS), tl.arange(0, SIZE)
    columns = group * size + members
    inside = members < size
    mask = (numbers < blocks)[:, None] & inside[None, :]
    place = (sample * blocks + numbers)[:, None] * channels + columns[None, :]
    means = tl.load(moments + place, mask, 0.0)
    squares = tl.load(moments + entries * blocks * channels + place, mask, 0.0)
    counts = tl.minimum(height - numbers * block, block).to(tl.float32)[:, None]
    total = (height * size).to(tl.float32)
    mean = tl.sum(tl.sum(tl.where(mask, means * counts, 0.0), 1), 0) / total
    distances = tl.where(mask, means - mean, 0.0)
    variance = tl.sum(tl.sum(tl.where(mask, squares + counts * distances * distances, 0.0), 1), 0) / total
    scale = tl.load(weight + columns, inside, 0.0).to(tl.float32) / tl.sqrt(variance + eps)
    shift = tl.load(bias + columns, inside, 0.0).to(tl.float32) - mean * scale
    tl.store(factors + sample * channels + columns, scale, inside)
    tl.store(factors + (entries + sample) * channels + columns, shift, inside)


@triton.jit
def _apply(
    x, y, factors, height, channels, entries, TILE: tl.constexpr, WIDTH: tl.constexpr, ACTIVATE: tl.constexpr
):
    number, sample = tl.program_id(0), tl.program_id(1)
    columns = tl.arange(0, WIDTH)
    within = columns < channels
    rows = number * TILE + tl.arange(0, TILE)
    mask = (rows < height)[:, None] & within[None, :]
    scale = tl.load(factors + sample * channels + columns, within, 0.0)
    shift = tl.load(factors + (entries + sample) * channels + columns, within, 0.0)
    start = sample.to(tl.int64) * height * channels
    place = start + rows[:, None] * channels + columns[None, :]
    values = tl.load(x + place, mask, 0.0).to(tl.float32) * scale[None, :] + shift[None, :]
    if ACTIVATE:
        values = values / (1 + tl.exp(-values))
    tl.store(y + place, values.to(y.dtype.element_ty), mask)
