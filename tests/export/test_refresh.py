"""`make serve`'s first step: what was exported last stays, whatever it was told."""

import argparse
import json
import os

import pytest

from export import __main__ as command
from export.errors import ExportError
from export.refresh import main
from export.request import DEFAULT_CHECKPOINT, ROOT, record


@pytest.fixture
def exports(monkeypatch):
    """The arguments of every export that is made."""
    made = []
    monkeypatch.setattr(command, "export_as_told", made.append)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "0")
    return made


@pytest.fixture
def mine(tmp_path):
    """A checkpoint of the user's and a LoRA, exported for a GPU."""
    checkpoint, lora = tmp_path / "my ckpt", tmp_path / "a, b:c.safetensors"
    checkpoint.mkdir()
    lora.touch()
    request = record(
        argparse.Namespace(
            checkpoint=str(checkpoint),
            profile="gpu",
            precision="fp32",
            densepose=str(tmp_path / "parts.onnx"),
            engines=0,
            refit=1,
            workspace_gb=4.0,
        ),
        [argparse.Namespace(path=lora, weight=0.8)],
    )
    manifest = {
        "key": "k", "request": request, "profile": "gpu", "precision": "fp32", "exported_at": "yesterday",
        "checkpoint": {"name": str(checkpoint)}, "files": {"unet/1/model.onnx": {"bytes": 3}}, "loras": [],
    }  # fmt: skip
    repository = tmp_path / "repository"
    (repository / "unet" / "1").mkdir(parents=True)
    (repository / "unet" / "1" / "model.onnx").write_text("abc")
    (repository / "manifest.json").write_text(json.dumps(manifest))
    return checkpoint


def refresh(tmp_path, *arguments):
    return main([f"--repository={tmp_path / 'repository'}", *arguments])


def test_without_an_export_the_default_checkpoint_is_exported(exports, tmp_path, capsys):
    assert refresh(tmp_path) == 0
    assert exports[0].checkpoint == str(ROOT / DEFAULT_CHECKPOINT)
    assert "Nothing is exported yet" in capsys.readouterr().out


def test_the_last_export_is_repeated_with_everything_that_it_was_told(exports, mine, tmp_path):
    assert refresh(tmp_path) == 0
    (args,) = exports
    assert (args.checkpoint, args.profile, args.precision) == (str(mine), "gpu", "fp32")
    assert args.loras == f"{tmp_path / 'a, b:c.safetensors'}:0.8"
    assert args.densepose == str(tmp_path / "parts.onnx")
    assert (args.engines, args.refit, args.workspace_gb) == (0, 1, 4.0)


def test_only_what_is_given_changes(exports, mine, tmp_path):
    refresh(tmp_path, "--precision=", "--loras=")
    refresh(tmp_path, "--checkpoint=someone/else")
    refresh(tmp_path, "--checkpoint=", "--profile=")
    refresh(tmp_path, "--profile=cpu")
    assert [(it.checkpoint, it.profile, it.precision, bool(it.loras)) for it in exports] == [
        (str(mine), "gpu", None, False),
        ("someone/else", "gpu", None, False),
        (str(mine), "gpu", "fp32", True),
        (str(mine), "cpu", None, True),
    ]


def test_a_demo_leaves_a_complete_export_alone(exports, mine, tmp_path):
    assert refresh(tmp_path, "--only-missing") == 0
    assert exports == []
    (tmp_path / "repository" / "unet" / "1" / "model.onnx").unlink()
    assert refresh(tmp_path, "--only-missing") == 0
    assert len(exports) == 1


def test_a_source_that_has_vanished_is_said_and_its_export_served(mine, tmp_path, capsys, monkeypatch):
    def fail(args):
        raise ExportError("there is no checkpoint folder")

    monkeypatch.setattr(command, "export_as_told", fail)
    assert refresh(tmp_path) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "its export of yesterday is served (there is no checkpoint folder)" in line
    assert refresh(tmp_path, "--checkpoint=other") == 1, "what was asked for is not there"
    (tmp_path / "repository" / "unet" / "1" / "model.onnx").unlink()
    assert refresh(tmp_path) == 1, "there is nothing whole to serve"


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left")])
def test_a_repository_that_cannot_be_written_is_served(mine, tmp_path, capsys, monkeypatch, error):
    """A read-only folder with a complete export ended `make serve` in a traceback."""

    def fail(args):
        raise error

    monkeypatch.setattr(command, "export_as_told", fail)
    assert refresh(tmp_path) == 0
    assert f"is served ({error})" in capsys.readouterr().out
    assert refresh(tmp_path, "--checkpoint=other") == 1
    assert capsys.readouterr().err == f"export: {error}\n"


def test_a_pipe_that_nobody_reads_is_no_fault_of_the_repository(mine, tmp_path, monkeypatch):
    def fail(args):
        raise BrokenPipeError

    monkeypatch.setattr(command, "export_as_told", fail)
    with pytest.raises(BrokenPipeError):
        refresh(tmp_path)


@pytest.mark.parametrize("text", ["{}", "[]", '{"profile": "cpu"}', "\0\udcff"])
def test_a_manifest_that_no_export_has_written_counts_for_nothing(exports, tmp_path, text):
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "manifest.json").write_text(text, errors="surrogateescape")
    assert refresh(tmp_path) == 0
    assert exports[0].checkpoint == str(ROOT / DEFAULT_CHECKPOINT)


def test_an_older_manifest_is_repeated(exports, mine, tmp_path):
    path = tmp_path / "repository" / "manifest.json"
    old = json.loads(path.read_text())
    del old["request"]
    path.write_text(json.dumps(old))
    refresh(tmp_path)
    assert (exports[0].checkpoint, exports[0].profile) == (str(mine), "gpu")


def test_a_checkpoint_of_this_checkout_moves_with_it():
    args = argparse.Namespace(
        checkpoint="export/checkpoints/lucy-tiny",
        profile="cpu",
        precision=None,
        densepose="",
        engines=1,
        refit=0,
        workspace_gb=None,
    )
    assert record(args, [])["checkpoint"] == DEFAULT_CHECKPOINT


def test_an_export_of_which_nothing_has_changed_is_not_looked_at_again(exports, mine, tmp_path, capsys):
    """A look hashes the checkpoint: a second of each start."""
    path = tmp_path / "repository" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["profile"] = manifest["request"]["profile"] = "cpu"
    manifest["request"]["densepose"] = ""
    path.write_text(json.dumps(manifest))
    assert refresh(tmp_path) == 0
    assert refresh(tmp_path) == 0
    assert len(exports) == 1, "the second start has nothing to look at"
    assert "Nothing has changed" in capsys.readouterr().out
    (mine / "unet.safetensors").touch()
    assert refresh(tmp_path) == 0
    assert len(exports) == 2
    assert refresh(tmp_path, "--precision=fp32") == 0
    assert len(exports) == 3, "what is asked for is looked at"


def test_a_manifest_that_may_not_be_read_is_told_in_one_line(exports, tmp_path, capsys):
    """`sudo make export` left a traceback of PermissionError to whoever served it afterwards."""
    (tmp_path / "repository" / "manifest.json").mkdir(parents=True)  # root, too, cannot read that
    assert refresh(tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "manifest.json cannot be read (Is a directory)" in line
    assert "chown" in line
    assert not exports
