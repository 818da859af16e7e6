"""`make setup` with a stand-in for Python: broken environments are made again, unusable folders refused."""

import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from serving.paths import path_fault
from tests.import_closure import find

ROOT = Path(__file__).resolve().parents[2]
# Not set by a user, but perhaps here: under `make test` every `make` of this test would be an inner one.
NOT_INHERITED = (
    "CHECKPOINT", "PROFILE", "PRECISION", "LORAS", "DENSEPOSE", "REFIT", "WORKSPACE_GB", "ENGINES",
    "MAKELEVEL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES",
)  # fmt: skip
# Makes a "virtual environment" whose Python does what the file `behaviour` says, and logs its arguments.
PYTHON = """#!/bin/sh
if [ "$1" = --version ]; then echo "Python 3"; exit; fi
if [ "$1" = -c ]; then cat version 2>/dev/null || echo 3.11; exit; fi
echo "made $*" >> log
for folder; do :; done
rm -rf "$folder" && mkdir -p "$folder/bin"
cat > "$folder/bin/python" <<'END'
#!/bin/sh
case "$*" in
    *"import os, pip"*) exec test -e usable ;;
    "-m deploy.unused_files") echo "unused" >> log ;;
    "-m deploy.torch_index") echo "--extra-index-url of-torch" ;;
    *"pip install"*" pip=="*) echo "newer pip" >> log ;;
    *"pip install"*torch.lock*" --extra-index-url of-torch") echo "torch" >> log ;;
    *"pip install"*) echo "pip" >> log; touch usable; exec test ! -e no-network ;;
    "-m export"* | "-m serving"* | "-m tests"*) for argument; do echo "[$argument]" >> ran; done ;;
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
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "unused_files.py", folder / "deploy")
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    return folder


def make(folder, *arguments, **environment):
    command = ["make", "PYTHON=./python", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return subprocess.run(
        command, cwd=folder, env=inherited | environment, capture_output=True, text=True, timeout=60
    )


def ran(folder, *arguments, **environment):
    """The arguments of every command that a target runs, but for those of the set-up."""
    done = make(folder, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    path = folder / "ran"
    lines = [line[1:-1] for line in path.read_text().splitlines()]
    path.unlink()
    return lines


def log(folder):
    path = folder / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


MADE = ["made -m venv --clear .venv", "newer pip", "pip", "torch", "pip", "unused"]


def test_an_environment_is_made_once(checkout):
    assert make(checkout, "setup").returncode == 0
    assert log(checkout) == MADE
    assert make(checkout, "setup").returncode == 0
    assert log(checkout) == []


def test_what_tests_need_is_added_once(checkout):
    make(checkout, "setup")
    log(checkout)
    assert make(checkout, "setup-dev").returncode == 0
    assert log(checkout) == ["pip", "pip"]
    assert make(checkout, "setup-dev").returncode == 0
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


def test_another_checkout_s_environment_is_not_emptied(checkout, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "pyvenv.cfg").touch()
    (checkout / ".venv").symlink_to(other)
    done = make(checkout, "setup")
    assert done.returncode != 0
    assert "is a link to the environment of another checkout" in done.stderr
    assert (other / "pyvenv.cfg").exists()


def test_a_failed_installation_leaves_no_stamp(checkout):
    (checkout / "no-network").touch()
    assert make(checkout, "setup").returncode != 0
    assert not (checkout / ".venv" / ".installed").exists()
    (checkout / "no-network").unlink()
    assert make(checkout, "setup").returncode == 0
    assert (checkout / ".venv" / ".installed").exists()


@pytest.mark.parametrize(
    ("version", "said"), [("3.13", "is Python 3.13"), ("3.10", "is Python 3.10"), ("", "not run")]
)
def test_another_python_is_refused_in_one_sentence_with_the_way_out(checkout, version, said):
    (checkout / "version").write_text(version)
    done = make(checkout, "setup")
    assert done.returncode != 0
    sentence, *rest = done.stderr.splitlines()
    assert said in sentence
    assert "make setup PYTHON=python3.11" in sentence
    assert all(line.startswith("make:") for line in rest)
    assert log(checkout) == []


def test_python_3_12_serves_where_3_11_is_missing(checkout, tmp_path):
    (checkout / "version").write_text("3.12")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("awk", "bash", "cat", "chmod", "echo", "mkdir", "rm", "sh", "test", "touch", "tr"):
        (programs / name).symlink_to(shutil.which(name))
    (checkout / "python").rename(programs / "python3.12")
    done = subprocess.run(
        [shutil.which("make"), "setup"],
        cwd=checkout,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert log(checkout) == MADE


def test_serve_and_demo_keep_the_last_export_unless_they_are_told_otherwise(checkout):
    assert ran(checkout, "serve") == [
        "-m", "export.refresh", "-m", "serving", "--examine",
    ]  # fmt: skip
    assert ran(checkout, "serve", "PROFILE=gpu", LORAS="a b.safetensors:1", PRECISION="")[:4] == [
        "-m", "export.refresh", "--profile=gpu", "--loras=a b.safetensors:1",
    ]  # fmt: skip
    assert ran(checkout, "demo")[:3] == ["-m", "export.refresh", "--only-missing"]
    assert "--loras=" in ran(checkout, "serve", "LORAS=")


@pytest.mark.parametrize(
    "target",
    ["test", "test-nightly", "bench", "bench-quick", "bench-hostile", "perf", "eval-tiny", "bench-picture"],
)
def test_tests_and_benchmarks_export_into_a_repository_of_their_own(checkout, target):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    shown = make(checkout, "--dry-run", target, "CHECKPOINT=mine").stdout
    assert "tests.repository" in shown
    assert "-m export" not in shown


def test_a_missing_folder_of_photographs_is_told_before_anything_is_made(checkout):
    done = make(checkout, "bench-photographs", "PHOTOGRAPHS=not there")
    assert done.returncode == 2
    assert "there is no folder 'not there'" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    "path",
    ["/tmp/my ckpt", "it's", "a&b;c", "a$HOME`id`", 'say "x"', "add detail (v1.5), x", "style:v2", "#1", "ü"],
)
def test_blanks_and_signs_in_paths_reach_the_export_as_they_were_typed(checkout, path):
    given = ran(checkout, "export", f"CHECKPOINT={path}", f"LORAS={path}:0.8")
    assert given == ["-m", "export", "--profile=cpu", f"--loras={path}:0.8", "--", path]
    assert f"--checkpoint={path}" in ran(checkout, "serve", CHECKPOINT=path)


def test_ctrl_c_is_one_line(checkout):
    make(checkout, "setup")
    (checkout / ".venv" / "bin" / "python").write_text(
        "#!/bin/bash\ncase \"$*\" in *'import os, pip'*) exit 0;; esac\n"
        "trap 'echo export: stopped >&2; exit 130' INT\ntouch started\nwhile :; do sleep 0.1; done\n"
    )
    process = subprocess.Popen(
        ["make", "PYTHON=./python", "export"],
        cwd=checkout,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (checkout / "started").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=20)[1].splitlines() == ["export: stopped"]
    assert process.returncode == -signal.SIGINT, "a shell shows this as status 130"


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
    for module in modules - {"compileall", "faults", "full_size", "nightly", "pip", "pytest", "venv"}:
        assert find(module) or find(f"{module}.__main__"), module
    dry_run = subprocess.run(
        ["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, timeout=60
    ).stdout
    for word in words + dry_run.split():
        assert "%" in word or not word.startswith("tests/") or (ROOT / word).exists(), word
