"""Stacks the rows of several jobs into one batch for the network, and splits its output again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Step:
    """One job's next step.

    model: that predicts. inputs: its inputs by name, (rows, …) each, with the same number of rows.
    """

    model: str
    inputs: Mapping[str, Tensor]

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True)
class Batch:
    """One call of the network.

    inputs: its inputs by name; the first axis is the padded batch.
    counts: rows of each job, in order.
    """

    inputs: dict[str, Tensor]
    counts: list[int]

    def split(self, model_output: Tensor) -> list[Tensor]:
        """Each job's rows of the network's output, without those of the padding.

        Raises ValueError if the output has another number of rows than the inputs.
        """
        rows = len(next(iter(self.inputs.values())))
        if len(model_output) != rows:
            raise ValueError(f"the network returned {len(model_output)} rows for a batch of {rows}")
        return list(model_output[: sum(self.counts)].split(self.counts))


def group_compatible(steps: Sequence[Step]) -> list[list[int]]:
    """The steps that can share a batch, as lists of positions: those of one model whose inputs have the same
    names and shapes."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, step in enumerate(steps):
        shapes = tuple(sorted((name, tensor.shape[1:]) for name, tensor in step.inputs.items()))
        groups.setdefault((step.model, shapes), []).append(position)
    return list(groups.values())


def padded_size(rows: int, sizes: Sequence[int]) -> int:
    """The smallest of `sizes` that is at least `rows`; `rows` itself if there is none."""
    return min((size for size in sizes if size >= rows), default=rows)


def stack(steps: Sequence[Step], sizes: Sequence[int]) -> Batch:
    """One batch of all steps, padded to one of `sizes` with copies of the last row.

    A job whose inputs were made on the CPU joins those on the GPU.
    A CUDA graph is valid for one batch size only, and replaying a graph with a row too many is faster than
    launching a thousand kernels one by one. On a CPU a row costs its full time, so `sizes` is empty there.
    """
    counts = [step.rows for step in steps]
    padding = padded_size(sum(counts), sizes) - sum(counts)

    def stacked(name: str) -> Tensor:
        parts = [step.inputs[name] for step in steps]
        device = next((part.device for part in parts if part.device.type != "cpu"), parts[0].device)
        rows = torch.cat([part.to(device) for part in parts])
        return torch.cat([rows, rows[-1:].expand(padding, *rows.shape[1:])]) if padding else rows

    return Batch({name: stacked(name) for name in steps[0].inputs}, counts)
