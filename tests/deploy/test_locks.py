"""requirements*.lock: versions, hashes, and nothing about where they were made."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-proxy.lock")
BY_HAND = ("requirements-assets.lock", "requirements-photographs.lock")


def pinned(name):
    """The version and the hashes of each package of a lock."""
    text = re.sub(r"\\\n", " ", (ROOT / name).read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = {}
    for line in lines:
        package, version = re.match(r"([a-z0-9._-]+)==([^\s;]+)", line).groups()
        found[package] = (version, set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line)))
    return found


@pytest.mark.parametrize("lock", [*LOCKS, *BY_HAND])
def test_every_package_has_hashes(lock):
    packages = pinned(lock)
    assert len(packages) > (0 if lock in BY_HAND else 50)
    assert not [name for name, (_, hashes) in packages.items() if not hashes]


def test_torch_alone_has_none_and_a_lock_of_its_own():
    """Its builds for CPU and CUDA have one version and different hashes."""
    assert "torch" not in pinned("requirements.lock")
    assert set(pinned("requirements-torch.lock")) == {"torch"}
    export = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][
        "export"
    ]
    assert f"torch=={pinned('requirements-torch.lock')['torch'][0]}" in export


def test_the_proxys_lock_is_a_part_of_the_whole_one():
    whole = pinned("requirements.lock")
    for name, pin in pinned("requirements-proxy.lock").items():
        assert whole[name] == pin, name


def test_what_serves_and_what_tests_share_no_package():
    """Either file can be installed after the other, and nothing is pinned twice."""
    assert not set(pinned("requirements.lock")) & set(pinned("requirements-dev.lock"))


def test_what_the_project_asks_for_stands_in_the_lock_of_its_use():
    """A server's machine does not download what only tests import."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def names(*requirements):
        return {canonicalize_name(Requirement(each).name) for each in requirements}

    served = names(
        *project["dependencies"], *(each for name in extras if name != "dev" for each in extras[name])
    )
    assert served - {"torch"} <= set(pinned("requirements.lock"))
    assert names(*extras["dev"]) - served <= set(pinned("requirements-dev.lock"))


def test_no_index_and_no_path_of_the_machine_that_made_them():
    for path in ROOT.glob("requirements*.lock"):
        text = path.read_text()
        assert not re.search(r"^--|file:|://|\+cpu", text, re.MULTILINE), path


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-torch.lock"])
def test_no_package_refuses_the_containers_python(lock):
    """The locks are made for 3.11 and the images have 3.12. `make check-images` also asks for the wheels."""
    for name, (version, _) in pinned(lock).items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform, or only in the tests' own environment
            continue
        assert Version(found.version).public == Version(version).public, (
            f"{name}: `make setup` installs another"
        )
        wanted = found.metadata["Requires-Python"]
        assert wanted is None or SpecifierSet(wanted).contains("3.12.3"), f"{name} wants Python {wanted}"


def test_no_package_of_the_lock_is_for_python_3_11_alone():
    for path in ROOT.glob("requirements*.lock"):
        assert not re.search(r"python(_full)?_version", path.read_text()), path
