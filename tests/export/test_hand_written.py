"""What is copied of the model repository has its hand-written files, and nothing exported."""

from pathlib import Path

from export import hand_written
from export.hand_written import copy_hand_written
from export.stage_folder import MARK


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_hand_written_files_are_copied(tmp_path, monkeypatch):
    ours = tmp_path / "ours"
    for name in ("unet/config.pbtxt", "unet/configs/cpu.pbtxt", "unet/1/model.py", "tryon/config.pbtxt"):
        (ours / name).parent.mkdir(parents=True, exist_ok=True)
        (ours / name).write_text("by hand")
    exported = ("manifest.json", "unet/1/model.onnx.data", "unet/configs/gpu.pbtxt", "tryon/1/tokenizer.json",
                "tryon/configs/cpu.pbtxt", "its_unet/config.pbtxt", "tryon/1/x.json")  # fmt: skip
    for name in exported:
        (ours / name).parent.mkdir(parents=True, exist_ok=True)
        (ours / name).write_text(f"{MARK}: as the unet")
    monkeypatch.setattr(hand_written, "FOLDER", ours)
    copy = tmp_path / "copy"
    (copy / "unet" / "configs").mkdir(parents=True)
    (copy / "unet" / "configs" / "removed.pbtxt").touch()
    copy_hand_written(copy)
    assert files(copy) == files(ours) - set(exported)
    assert "model.onnx" not in {path.name for path in copy.rglob("*")}
