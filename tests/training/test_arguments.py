"""What commands are given, and what is said of mistakes."""

import argparse
from pathlib import Path

import pytest

from training.arguments import check_output, natural, positive


def test_counts_are_whole_numbers() -> None:
    assert positive("3") == 3
    assert natural("0") == 0
    for kind, wrong in ((positive, "0"), (natural, "-1"), (positive, "1.5"), (natural, "many")):
        with pytest.raises(argparse.ArgumentTypeError, match=f"{wrong}' is no whole number of at least"):
            kind(wrong)


def test_an_output_is_a_file_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_output(tmp_path / "file")
    check_output(tmp_path / "new" / "folder" / "file")
    with pytest.raises(ValueError, match="is a folder: give a file's name"):
        check_output(tmp_path)
    with pytest.raises(ValueError, match="cannot be written"):
        check_output(tmp_path / "file" / "below")
    assert [it.name for it in tmp_path.iterdir()] == ["file"], "it only looks"
