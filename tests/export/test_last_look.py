import json
import os

import pytest

from export import last_look
from export.last_look import FILE, LastLook
from export.manifest import MODULES


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A checkout with an export: its root, and a function that looks at it."""
    for name in ("export/a.py", "families/sd/b.py", *MODULES, "ckpt/unet/weights", "lora.bin",
                 "models/unet/1/model.onnx", "models/manifest.json"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(last_look, "ROOT", tmp_path)
    request = {"checkpoint": "./ckpt", "loras": [["./lora.bin", 0.5]], "densepose": ""}
    return tmp_path, lambda **other: LastLook(tmp_path / "models", request | other)


def test_the_same_files_are_not_looked_at_again(places):
    root, look = places
    assert not look().is_current(), "nobody has looked"
    look().remember()
    assert look().is_current()
    (root / "export" / "__pycache__").mkdir()
    (root / "export" / "__pycache__" / "a.pyc").touch()
    assert look().is_current(), "what Python compiles decides nothing"


@pytest.mark.parametrize(
    "name",
    ["export/a.py", "families/sd/b.py", *MODULES, "ckpt/unet/weights", "lora.bin",
     "models/unet/1/model.onnx", "models/manifest.json", "ckpt/new", "models/unet/config.pbtxt"],
)  # fmt: skip
def test_a_file_that_has_changed_or_is_new_is_seen(places, name):
    """Even with the size and the time that it had before."""
    root, look = places
    look().remember()
    before = (root / name).stat() if (root / name).exists() else None
    (root / name).write_text("two")
    if before:
        os.utime(root / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not look().is_current()


def test_a_file_that_is_gone_is_seen(places):
    root, look = places
    look().remember()
    (root / "ckpt" / "unet" / "weights").unlink()
    assert not look().is_current()


def test_another_version_of_a_package_is_seen(places, monkeypatch):
    _, look = places
    look().remember()
    monkeypatch.setattr(last_look, "installed_version", lambda package: "0.0")
    assert not look().is_current()


def test_what_changes_during_a_look_is_looked_at_again(places):
    root, look = places
    begun = look()
    (root / "ckpt" / "unet" / "weights").write_text("two")
    begun.remember()
    assert not (root / "models" / FILE).exists()


@pytest.mark.parametrize("other", [{"checkpoint": "owner/on-the-hub"}, {"densepose": "./missing.onnx"}])
def test_what_is_not_on_the_disk_is_looked_at_each_time(places, other):
    _, look = places
    look(**other).remember()
    assert not look(**other).is_current()


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"files": {}})])
def test_a_damaged_record_counts_for_nothing(places, text):
    root, look = places
    (root / "models" / FILE).write_text(text)
    assert not look().is_current()
