"""Which rows are trained on and which are only measured: by people, so that nobody is in both."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from training.finetune.rows import Row

FEWEST = 4  # rows of a dataset


@dataclass(frozen=True)
class Split:
    training: list[Row]
    validation: list[Row]


def split(rows: Sequence[Row], share: float, seed: int = 0) -> Split:
    """share: of the people who are only measured; at least one is, and at least one is not.

    A row's side depends on its person and the seed, so further people change nobody's side by much.
    Raises ValueError for too few rows, or for one person alone.
    """
    if len(rows) < FEWEST:
        raise ValueError(f"the dataset has {len(rows)} rows, and training needs {FEWEST}")
    people = sorted({row.person for row in rows}, key=lambda person: _place(person, seed))
    if len(people) < 2:
        raise ValueError("all rows show one person: nobody is left to measure on; photograph a second one")
    count = min(max(1, round(share * len(people))), len(people) - 1)
    measured = set(people[:count])
    return Split(
        [row for row in rows if row.person not in measured], [row for row in rows if row.person in measured]
    )


def _place(person: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {person}".encode()).hexdigest()
