"""Stacks the rows of several jobs into one batch for the UNet, and splits its output again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Rows(Protocol):
    """The part of a job that a batch needs; sampling.py's Denoising has it."""

    rows: int
    prompt_embeds: Tensor  # (rows, tokens, width)

    @property
    def unet(self) -> str: ...

    @property
    def sample(self) -> Tensor: ...  # (rows, 9, H/8, W/8)

    @property
    def timestep(self) -> Tensor: ...  # (rows,)


@dataclass(frozen=True)
class Batch:
    """One UNet call.

    inputs: the UNet's inputs by name; the first axis is the padded batch.
    counts: rows of each job, in order.
    """

    inputs: dict[str, Tensor]
    counts: list[int]

    def split(self, model_output: Tensor) -> list[Tensor]:
        """Each job's rows of the UNet's output, without those of the padding.

        Raises ValueError if the output has another number of rows than the inputs.
        """
        rows = len(self.inputs["sample"])
        if len(model_output) != rows:
            raise ValueError(f"the UNet returned {len(model_output)} rows for a batch of {rows}")
        return list(model_output[: sum(self.counts)].split(self.counts))


def group_compatible(jobs: Sequence[Rows]) -> list[list[int]]:
    """The jobs that can share a batch, as lists of positions: those with the same UNet and resolution."""
    groups: dict[tuple[str, torch.Size], list[int]] = {}
    for position, job in enumerate(jobs):
        groups.setdefault((job.unet, job.sample.shape[2:]), []).append(position)
    return list(groups.values())


def padded_size(rows: int, sizes: Sequence[int]) -> int:
    """The smallest of `sizes` that is at least `rows`; `rows` itself if there is none."""
    return min((size for size in sizes if size >= rows), default=rows)


def stack(jobs: Sequence[Rows], sizes: Sequence[int]) -> Batch:
    """One batch of all jobs, padded to one of `sizes` with copies of the last row.

    A CUDA graph is valid for one batch size only, and replaying a graph with a row too many is faster than
    launching a thousand kernels one by one. On a CPU a row costs its full time, so `sizes` is empty there.
    """
    counts = [job.rows for job in jobs]
    padding = padded_size(sum(counts), sizes) - sum(counts)

    def pad(rows: Tensor) -> Tensor:
        return torch.cat([rows, rows[-1:].expand(padding, *rows.shape[1:])]) if padding else rows

    return Batch(
        {
            "sample": pad(torch.cat([job.sample for job in jobs])),
            "timestep": pad(torch.cat([job.timestep for job in jobs]))[:, None],
            "prompt_embeds": pad(torch.cat([job.prompt_embeds for job in jobs])),
        },
        counts,
    )
