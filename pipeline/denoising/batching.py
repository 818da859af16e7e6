"""The rows of several jobs as one batch of a UNet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Rows(Protocol):
    """What a batch takes of a job: Denoising of sampling.py."""

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
    """
    inputs: the UNet's, by name, each with the padded batch in front.
    counts: rows of each job, in order.
    """

    inputs: dict[str, Tensor]
    counts: list[int]

    def split(self, model_output: Tensor) -> list[Tensor]:
        """Each job's rows of the UNet's output; what came of the padding is dropped."""
        return list(model_output[: sum(self.counts)].split(self.counts))


def group_compatible(jobs: Sequence[Rows]) -> list[list[int]]:
    """The positions of the jobs that can share a batch: of one UNet, and of one resolution."""
    groups: dict[tuple[str, torch.Size], list[int]] = {}
    for position, job in enumerate(jobs):
        groups.setdefault((job.unet, job.sample.shape[2:]), []).append(position)
    return list(groups.values())


def padded_size(rows: int, sizes: Sequence[int]) -> int:
    """The least of `sizes` that holds `rows`; `rows` itself where none does."""
    return min((size for size in sizes if size >= rows), default=rows)


def stack(jobs: Sequence[Rows], sizes: Sequence[int]) -> Batch:
    """One batch of all jobs, its last row repeated up to one of `sizes`.

    A CUDA graph holds for one batch size. Launching the captured size with a row too many is faster than
    launching a thousand kernels one by one; where a row costs its full time (a CPU), `sizes` is empty.
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
