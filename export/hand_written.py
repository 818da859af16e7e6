"""The model repository without what exports write, copied to where another export may write beside it."""

import filecmp
import shutil
from pathlib import Path

from export.stage_folder import is_artefact

FOLDER = Path(__file__).resolve().parents[1] / "model_repository"
# What exports write; the same list as in .gitignore and in `make clean`.
_WRITTEN = shutil.ignore_patterns(
    *("model.onnx*", "model.plan*", "model.pt2", "manifest.json*", "gpu.pbtxt", "in_process.pbtxt"),
    *(".staging", "__pycache__"),
)


def copy_hand_written(repository: Path) -> None:
    """Make the repository's hand-written files those of FOLDER; artefacts stay."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        written = set(_WRITTEN(folder, names))
        if Path(folder) == FOLDER:
            return written | {name for name in names if is_artefact(FOLDER / name)}
        if Path(folder).parent.name == "tryon":
            return written | {name for name in names if name != "model.py"}
        return written | ({"configs"} if Path(folder).name == "tryon" else set())

    for path in repository.glob("*/configs/*.pbtxt"):
        source = FOLDER / path.relative_to(repository)
        by_hand = path.parts[-3] != "tryon" and not is_artefact(path.parents[1])
        if path.name not in ("gpu.pbtxt", "in_process.pbtxt") and by_hand and not source.exists():
            path.unlink()
    shutil.copytree(FOLDER, repository, ignore=ignored, dirs_exist_ok=True, copy_function=_bring_up_to_date)


def _bring_up_to_date(source: str, place: str) -> None:
    """Copy a file, unless the copy is there: a Triton may be reading it."""
    if not (Path(place).is_file() and filecmp.cmp(source, place, shallow=False)):
        shutil.copy2(source, place)
