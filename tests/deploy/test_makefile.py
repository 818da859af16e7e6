"""`make setup` with a stand-in for Python: broken environments are made again, unusable folders refused."""

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from serving.paths import path_fault
from tests.import_closure import find

ROOT = Path(__file__).resolve().parents[2]
# Makes a "virtual environment" whose Python does what the file `behaviour` says, and logs its arguments.
PYTHON = """#!/bin/sh
echo "made $*" >> log
for folder; do :; done
rm -rf "$folder" && mkdir -p "$folder/bin"
cat > "$folder/bin/python" <<'END'
#!/bin/sh
case "$*" in
    *"import os, pip"*) exec test -e usable ;;
    *"pip install"*) echo "pip" >> log; touch usable; exec test ! -e no-network ;;
esac
END
chmod +x "$folder/bin/python"
"""


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "lucy-serve"
    folder.mkdir()
    for path in (ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("requirements*.lock")):
        shutil.copy(path, folder)
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    return folder


def make(folder, *arguments):
    command = ["make", "PYTHON=./python", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def log(folder):
    path = folder / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


MADE = ["made -m venv --clear .venv", "pip", "pip", "pip"]


def test_an_environment_is_made_once(checkout):
    assert make(checkout, "setup").returncode == 0
    assert log(checkout) == MADE
    assert make(checkout, "setup").returncode == 0
    assert log(checkout) == []


def test_an_environment_without_pip_is_made_again(checkout):
    """`python -m venv` was interrupted before it had installed pip: the interpreter exists and runs."""
    make(checkout, "setup")
    (checkout / "usable").unlink()
    (checkout / ".venv" / ".installed").unlink()
    log(checkout)
    assert make(checkout, "setup").returncode == 0
    assert log(checkout) == MADE


@pytest.mark.parametrize("damage", ["no interpreter", "it does not run", "it imports another checkout"])
def test_a_stamp_does_not_hide_a_broken_environment(checkout, damage):
    make(checkout, "setup")
    log(checkout)
    python = checkout / ".venv" / "bin" / "python"
    if damage == "no interpreter":
        python.unlink()
        python.symlink_to("/nowhere/python3.11")
    elif damage == "it does not run":
        python.write_text("not a program")
    else:
        (checkout / "usable").unlink()
    assert make(checkout, "setup").returncode == 0
    assert log(checkout) == MADE


def test_a_failed_installation_leaves_no_stamp(checkout):
    (checkout / "no-network").touch()
    assert make(checkout, "setup").returncode != 0
    assert not (checkout / ".venv" / ".installed").exists()
    (checkout / "no-network").unlink()
    assert make(checkout, "setup").returncode == 0
    assert (checkout / ".venv" / ".installed").exists()


@pytest.mark.parametrize("character", " ()[]'\"$;&|ü")
def test_an_unusable_folder_is_refused_in_one_sentence(checkout, character):
    folder = checkout.rename(checkout.with_name(f"lucy{character}serve"))
    done = make(folder, "setup")
    assert done.returncode != 0
    sentence, *rest = done.stderr.splitlines()
    assert str(folder) in sentence
    assert "move it to a path" in sentence
    assert all(line.startswith("make:") for line in rest)
    assert log(folder) == []
    assert path_fault(folder), "the doctor says the same"


@pytest.mark.parametrize("name", ["lucy-serve", "a_b.c", "x~y%z#@+,=w"])
def test_a_usable_folder_is_not_refused(checkout, name):
    folder = checkout.rename(checkout.with_name(name))
    done = make(folder, "path")
    assert (done.returncode, done.stderr) == (0, "")
    assert path_fault(folder) is None


def test_every_module_and_test_folder_that_a_target_runs_exists():
    """The move of code left targets behind that ran modules and tests of the old folders."""
    words = (ROOT / "Makefile").read_text().replace(";", " ").replace(")", " ").split()
    modules = {word for option, word in itertools.pairwise(words) if option == "-m"}
    for module in modules - {"compileall", "faults", "full_size", "pip", "pytest", "venv"}:
        assert find(module) or find(f"{module}.__main__"), module
    for word in words:
        assert not word.startswith("tests/") or (ROOT / word).exists(), word
