"""The model repository of tests and benchmarks, in build/, so that they never touch what the user exported.

python -m tests.repository          # brings it up to date and prints its path
python -m tests.repository --all    # profile gpu's, too
"""

import fcntl
import filecmp
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from export.stage_folder import is_artefact

ROOT = Path(__file__).resolve().parents[1]
HAND_WRITTEN = ROOT / "model_repository"
REPOSITORY = ROOT / "build" / "test-repository"
# Profile gpu's, which a processor computes with GPU_DEVICE=cpu; in single precision, since half takes long.
GPU_REPOSITORY = ROOT / "build" / "test-repository-gpu"
_OPTIONS = {GPU_REPOSITORY: ("--profile=gpu", "--precision=fp32", "--engines=0")}
# What exports write; the same list as in .gitignore and in `make clean`.
_WRITTEN = shutil.ignore_patterns(
    *("model.onnx*", "model.plan*", "model.pt2", "manifest.json*", "gpu.pbtxt", "in_process.pbtxt"),
    *(".staging", "__pycache__"),
)


@cache
def prepared_repository(repository: Path = REPOSITORY) -> Path:
    """The repository with the default checkpoint, exported if it is not there or not current."""
    repository.parent.mkdir(exist_ok=True)
    with repository.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests at the same time
        copy_hand_written(repository)
        # Outside pytest's capture: the first time it takes a minute, and says so.
        subprocess.run(
            [sys.executable, "-m", "export", f"--repository={repository}", *_OPTIONS.get(repository, ())],
            cwd=ROOT,
            check=True,
        )
    return repository


def copy_hand_written(repository: Path) -> None:
    """Make the repository's hand-written files those of model_repository/; artefacts stay."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        written = set(_WRITTEN(folder, names))
        if Path(folder) == HAND_WRITTEN:
            return written | {name for name in names if is_artefact(HAND_WRITTEN / name)}
        if Path(folder).parent.name == "tryon":
            return written | {name for name in names if name != "model.py"}
        return written | ({"configs"} if Path(folder).name == "tryon" else set())

    for path in repository.glob("*/configs/*.pbtxt"):
        source = HAND_WRITTEN / path.relative_to(repository)
        by_hand = path.parts[-3] != "tryon" and not is_artefact(path.parents[1])
        if path.name not in ("gpu.pbtxt", "in_process.pbtxt") and by_hand and not source.exists():
            path.unlink()
    shutil.copytree(
        HAND_WRITTEN, repository, ignore=ignored, dirs_exist_ok=True, copy_function=_bring_up_to_date
    )


def _bring_up_to_date(source: str, place: str) -> None:
    """Copy a file, unless the copy is there: the Triton of another run of the tests may be reading it."""
    if not (Path(place).is_file() and filecmp.cmp(source, place, shallow=False)):
        shutil.copy2(source, place)


if __name__ == "__main__":
    print(prepared_repository())
    if "--all" in sys.argv:
        print(prepared_repository(GPU_REPOSITORY))
