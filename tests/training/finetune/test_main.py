"""The command, and what it says of mistakes; nothing is trained."""

from pathlib import Path

import pytest
import torch

from training.finetune import run as training
from training.finetune.__main__ import main


@pytest.mark.parametrize("wrong", ["--batch=0", "--every=0", "--rank=0", "--patience=0", "--steps=-1"])
def test_counts_that_make_no_sense_are_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["rows", wrong])
    assert "is no whole number of at least" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out={folder}"], "is a folder: give a file's name"),
        (["--device=cuda"], "torch finds no GPU for cuda"),
        (["--device=gpu"], "gpu is no device"),
    ],
)
def test_what_would_fail_after_training_is_told_before(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(training, "run", lambda wanted: pytest.fail("it is trained"))
    assert main(["rows", *(option.format(folder=tmp_path) for option in options)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "a smaller --batch, or --checkpointing"),
        (PermissionError(13, "Permission denied", "work"), "Permission denied: 'work'"),
    ],
)
def test_what_ends_a_run_is_a_sentence(
    error: Exception,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(wanted: training.Wanted) -> None:
        raise error

    monkeypatch.setattr(training, "run", fail)
    assert main(["rows", f"--out={tmp_path / 'lora.safetensors'}", "--device=cpu"]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
