"""Rotary position embeddings of a grid of tokens (Su et al., "RoFormer", 2021), in two dimensions.

    a token at (row, column) has the ids n = (0, row, column)
    angle of pair j of axis n:    θ_j = id_n · base^(−2j / axes_n)
    pair (a, b) of a head:        (cos θ · a − sin θ · b,  sin θ · a + cos θ · b)

The pairs are neighbours, (0, 1), (2, 3), …, and the axes follow each other within a head.
"""

import torch
from torch import Tensor

# Tokens along a side for which angles are kept; a side of 1,536 pixels has as many.
MOST_TOKENS = 128


class RotaryTable:
    """Cosines and sines for grids of up to MOST_TOKENS × MOST_TOKENS tokens.

    It is not a module's buffer, because its values stay float32 when the network goes to half precision.
    axes: components of a head that each axis turns; each even. base: of the angles.
    """

    def __init__(self, axes: tuple[int, int, int], base: float):
        self._still = axes[0] // 2  # the first axis' id is always 0
        self._rows, self._columns = (_turns(width, base) for width in axes[1:])

    def grid(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """cos and sin of every token, row by row: (height · width, head / 2) each."""
        return tuple(  # type: ignore[return-value]
            torch.cat(
                [
                    torch.full((height, width, self._still), of_zero),
                    rows[:height, None].expand(height, width, rows.shape[1]),
                    columns[None, :width].expand(height, width, columns.shape[1]),
                ],
                dim=2,
            ).flatten(0, 1)
            for of_zero, rows, columns in zip((1.0, 0.0), self._rows, self._columns, strict=True)
        )


def _turns(width: int, base: float) -> tuple[Tensor, Tensor]:
    """cos and sin of one axis at each position, (MOST_TOKENS, width / 2) each; float64 until the last."""
    frequencies = base ** (-torch.arange(0, width, 2, dtype=torch.float64, device="cpu") / width)
    angles = torch.arange(MOST_TOKENS, dtype=torch.float64, device="cpu")[:, None] * frequencies
    return angles.cos().float(), angles.sin().float()


def rotate(vectors: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The vectors (…, tokens, head) float32, turned by their positions."""
    pairs = vectors.unflatten(-1, (-1, 2))
    first, second = pairs[..., 0], pairs[..., 1]
    return torch.stack([cos * first - sin * second, sin * first + cos * second], dim=-1).flatten(-2)
