"""What is said of rows that the server does not answer."""

from pathlib import Path

import pytest

from lucy_client import Lucy, LucyError
from tests.training.finetune.datasets import write_dataset
from training.finetune.compare.answers import NotDressed, answers
from training.finetune.rows import find_rows


def test_a_row_that_the_server_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Lucy, user_image: bytes, **options: object) -> None:
        raise LucyError("user_image has 21331851 bytes", "IMAGE_TOO_LARGE", 413)

    monkeypatch.setattr(Lucy, "capture", refuse)
    rows = find_rows(write_dataset(tmp_path))
    with pytest.raises(NotDressed, match=r"^row-0: user_image has 21331851 bytes$"):
        next(answers("http://127.0.0.1:9", rows, "base"))
