"""What commands are given, and what is said of mistakes."""

import argparse
from pathlib import Path

import pytest

from training.arguments import check_folder, check_output, natural, positive, rate, share


def test_counts_are_whole_numbers() -> None:
    assert positive("3") == 3
    assert natural("0") == 0
    for kind, wrong in ((positive, "0"), (natural, "-1"), (positive, "1.5"), (natural, "many")):
        with pytest.raises(argparse.ArgumentTypeError, match=f"{wrong}' is no whole number of at least"):
            kind(wrong)


def test_shares_and_rates_are_numbers_above_0() -> None:
    assert share("0.2") == 0.2
    assert rate("20") == 20
    for kind, wrong in (
        (share, "20"),
        (share, "0"),
        (share, "nan"),
        (rate, "0"),
        (rate, "inf"),
        (rate, "much"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match=f"{wrong}' is no number between 0 and"):
            kind(wrong)


def test_an_output_is_a_file_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_output(tmp_path / "a.md", ".md")
    check_output(tmp_path / "new" / "folder" / "a.md", ".md")
    with pytest.raises(ValueError, match="is a folder: give a file's name"):
        check_output(tmp_path, ".md")
    with pytest.raises(ValueError, match=r"give one that ends with \.safetensors"):
        check_output(tmp_path / "a.md", ".safetensors")
    with pytest.raises(ValueError, match="cannot be written"):
        check_output(tmp_path / "file" / "below.md", ".md")
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "folder")
    with pytest.raises(ValueError, match="cannot be written"):
        check_folder(tmp_path / "file")
    assert [it.name for it in tmp_path.iterdir()] == ["file"], "it only looks"
