"""What `make setup` removes of installed packages, and how much is left."""

import re
import subprocess
import sys
from importlib import metadata

import pytest

from deploy.unused_files import UNUSED, remove_unused
from tests.deploy.test_locks import pinned

LIMIT_MIB = 1500
BLOCK = 4096


@pytest.fixture
def package(tmp_path):
    """Installed as pip does it, with a list of its files, one of which is gone."""
    files = (
        "cloth/wool.py",
        "cloth/tests/test_wool.py",
        "cloth/deep/tests/data/a.txt",
        "cloth/tests/gone.py",
    )
    for name in files[:-1]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("12345")
    (tmp_path / "cloth" / "tests" / "own.py").write_text("the user's")
    folder = tmp_path / "cloth-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: cloth\nVersion: 1.0\n")
    (folder / "RECORD").write_text("".join(f"{name},,5\n" for name in files))
    return metadata.Distribution.at(folder)


def test_only_files_of_the_packages_list_go_and_folders_that_are_empty_then(package, tmp_path):
    assert remove_unused(package, [r"cloth/(.+/)?tests/"]) == 10
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "cloth/wool.py", "cloth/tests/own.py", "cloth-1.0.dist-info/METADATA", "cloth-1.0.dist-info/RECORD",
    }  # fmt: skip
    assert not (tmp_path / "cloth" / "deep").exists()
    assert remove_unused(package, [r"cloth/(.+/)?tests/"]) == 0


def disk_bytes(package):
    """What the files of a package take, but for what Python compiled."""
    found = (package.locate_file(name) for name in package.files or [] if name.suffix != ".pyc")
    return sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in found if path.is_file())


def served():
    """The packages of `make setup` that are installed, by name."""
    names = {*pinned("requirements.lock"), *pinned("requirements-torch.lock"), "pip"}
    found = {}
    for name in sorted(names):
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform
            continue
    return found


def test_the_install_without_a_gpu_is_no_larger_than_promised():
    """README.md and `make help` name the size; folders' own blocks are some 20 MiB of it."""
    packages = served()
    if packages["torch"].version != f"{pinned('requirements-torch.lock')['torch'][0]}+cpu":
        pytest.skip("torch's build for CUDA is several times as large")
    sizes = {name: disk_bytes(package) / 2**20 for name, package in packages.items()}
    largest = sorted(sizes.items(), key=lambda it: -it[1])[:12]
    assert sum(sizes.values()) < LIMIT_MIB - 20, "\n".join(f"{mib:6.1f} {name}" for name, mib in largest)


def test_the_list_names_packages_that_are_installed_and_files_that_they_have():
    """An upgrade that renames a folder would bring its size back unseen."""
    packages = served()
    for name, patterns in UNUSED.items():
        for pattern in patterns:
            assert any(re.match(pattern, str(it)) for it in packages[name].files), f"{name} has no {pattern}"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["networkx", "numpy", "onnx", "openvino", "sympy", "torch"])
def test_what_is_left_of_a_package_can_be_imported(name):
    """Into a process of its own, since others have imported it here, perhaps before files were removed."""
    subprocess.run([sys.executable, "-c", f"import {name}"], check=True, timeout=100)
