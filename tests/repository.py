"""The model repository of tests and benchmarks, in build/, so that they never touch what the user exported.

python -m tests.repository          # brings it up to date and prints its path
python -m tests.repository --all    # profile gpu's, too
"""

import fcntl
import subprocess
import sys
from functools import cache
from pathlib import Path

from export.hand_written import FOLDER, copy_hand_written

ROOT = Path(__file__).resolve().parents[1]
HAND_WRITTEN = FOLDER
REPOSITORY = ROOT / "build" / "test-repository"
# Profile gpu's, which a processor computes with GPU_DEVICE=cpu; in single precision, since half takes long.
GPU_REPOSITORY = ROOT / "build" / "test-repository-gpu"
_OPTIONS = {GPU_REPOSITORY: ("--profile=gpu", "--precision=fp32", "--engines=0")}


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


if __name__ == "__main__":
    print(prepared_repository())
    if "--all" in sys.argv:
        print(prepared_repository(GPU_REPOSITORY))
