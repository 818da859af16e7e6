"""The command that compares, with servers that are played."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from families.sd_inpainting.recipes import default_config
from tests.training.finetune.datasets import write_dataset
from training.finetune.compare.__main__ import main
from training.finetune.lora_file import write_lora
from training.finetune.rows import Row, data_digest, find_rows

CONFIG = default_config(8).model_copy(update={"conditioning": "composite"})


class Played:
    """Servers of base and tuned, which answer with the photo, the base with a darker one.

    checkpoints: that were served.
    """

    def __init__(self) -> None:
        self.checkpoints: list[str] = []

    @contextmanager
    def served(self, folder: Path, checkpoint: str, lora: Path | None, profile: str) -> Iterator[str]:
        self.checkpoints.append(checkpoint)
        yield "base" if lora is None else "tuned"

    def answers(self, url: str, rows: list[Row], name: str) -> list[dict]:
        pictures = [cv2.imread(str(row.path("photo"))) for row in rows]
        return [dict.fromkeys(("keyframe", "capture"), it if url == "tuned" else it // 2) for it in pictures]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    it = Played()
    monkeypatch.setattr("training.finetune.compare.server.served", it.served)
    monkeypatch.setattr("training.finetune.compare.answers.answers", it.answers)
    located = SimpleNamespace(load=lambda: SimpleNamespace(config=CONFIG))
    monkeypatch.setattr("export.checkpoint.locate", lambda checkpoint: located)
    return it


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "rows")


@pytest.fixture
def command(tmp_path: Path, dataset: Path) -> list[str]:
    """The arguments, with a LoRA that was trained on all rows but two."""
    rows = find_rows(dataset)
    data = {"sha256": data_digest(rows), "validation": [row.name for row in rows[3:]]}
    data["trained"] = [row.photo_digest for row in rows[:3]]
    write_lora({}, {"data": data}, tmp_path / "lora.safetensors")
    return [str(dataset), f"--lora={tmp_path / 'lora.safetensors'}", f"--work={tmp_path / 'work'}"]


@pytest.mark.parametrize("checkpoint", ["stable-diffusion-v1-5/stable-diffusion-inpainting", "~/checkpoint"])
def test_a_hub_id_stays_one_and_a_path_becomes_whole(
    played: Played, command: list[str], checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training takes a hub id, and prints this very command with it."""
    assert main([*command, f"--checkpoint={checkpoint}"]) == 0
    assert played.checkpoints == [checkpoint] * 2
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--checkpoint=mine"]) == 0
    assert played.checkpoints[2:] == [str(tmp_path / "mine")] * 2


def test_rows_that_were_trained_are_not_measured(
    played: Played, command: list[str], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "row-0" / ".DS_Store").write_text("of a file manager")
    assert main(command) == 0
    report = json.loads((tmp_path / "work" / "compare.json").read_text())
    assert report["validation"]["rows"] == 2
    (dataset / "row-0" / "caption.txt").write_text("another caption")
    assert main(command) == 1
    assert "contains photos that the LoRA was trained on" in capsys.readouterr().err


def test_it_publishes_what_is_better(
    played: Played, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "published" / "lora.safetensors"
    assert main([*command, f"--publish={place}", "--least-gain=999"]) == 1
    assert "refused: " in capsys.readouterr().err
    assert not place.exists()
    assert main([*command, f"--publish={place}"]) == 0
    assert place.read_bytes() == (tmp_path / "lora.safetensors").read_bytes()
    assert "Through the real server" in place.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("place", "said"),
    [("published.md", "give one that ends with .safetensors"), ("lora.safetensors", "is the LoRA itself")],
)
def test_a_place_that_would_be_overwritten_is_told_before_anything_is_served(
    played: Played,
    command: list[str],
    tmp_path: Path,
    place: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*command, f"--publish={tmp_path / place}"]) == 1
    assert said in capsys.readouterr().err
    assert played.checkpoints == []


def test_a_folder_that_triton_cannot_serve_from_is_told_before_anything_is_exported(
    played: Played, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, f"--work={tmp_path / 'my work'}"]) == 1
    assert "my work contains ' ', which Triton cannot handle" in capsys.readouterr().err
    assert played.checkpoints == []


def test_a_row_that_is_wrong_is_told_before_anything_is_served(
    played: Played, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of another dataset have never been checked: two exports and all answers before it were in vain."""
    other = write_dataset(tmp_path / "other")
    (other / "row-1" / "photo.png").unlink()
    assert main([*command, f"--elsewhere={other}"]) == 1
    assert "row-1: it has no photo.jpg" in capsys.readouterr().err
    assert played.checkpoints == []


def test_a_place_that_cannot_be_written_is_told_before_anything_is_served(
    played: Played, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, f"--publish={tmp_path}"]) == 1
    assert capsys.readouterr().err == f"compare: {tmp_path} is a folder: give a file's name\n"
    assert played.checkpoints == []
