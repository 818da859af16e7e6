"""The command, and what it says of mistakes; nothing is trained."""

import shlex
from pathlib import Path
from typing import Any

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
    "wrong", ["--held-out=20", "--held-out=nan", "--learning-rate=0", "--learning-rate=-1"]
)
def test_shares_and_rates_that_make_no_sense_are_refused(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--held-out 20`, meant as per cent, trained on one person alone."""
    with pytest.raises(SystemExit, match="2"):
        main(["rows", wrong])
    assert "is no number between 0 and" in capsys.readouterr().err


def about(best_step: int) -> dict[str, Any]:
    part = {
        "part": "denoiser",
        "before": 0.2,
        "best": 0.1,
        "best_step": best_step,
        "steps": 9,
        "seconds": 1.0,
    }
    return {"parts": [part], "processor_seconds": 1.0}


def test_the_command_to_go_on_with_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "run", lambda wanted: about(9))
    given = ["my rows", f"--out={tmp_path / 'my lora.safetensors'}", "--checkpoint=a$b", "--device=cpu"]
    assert main(given) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(told)[4:] == [
        "my rows",
        "--lora",
        str(tmp_path / "my lora.safetensors"),
        "--checkpoint",
        "a$b",
    ]


def test_a_lora_that_changes_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "run", lambda wanted: about(0))
    assert main(["rows", f"--out={tmp_path / 'lora.safetensors'}", "--device=cpu"]) == 1
    out, err = capsys.readouterr()
    assert "nothing was learnt" in err
    assert "next:" not in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out={folder}"], "is a folder: give a file's name"),
        # Its card, lora.md, would take the LoRA's place.
        (["--out={folder}/lora.md"], "give one that ends with .safetensors"),
        (["--work={folder}/file"], "file cannot be written"),
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
    (tmp_path / "file").write_text("")
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
