"""The parts of `make check-images` that need neither buildah nor a network."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from deploy.docker import check_images
from deploy.docker.check_images import Buildah, ImageFault, base_image, check, check_lock, pip_volumes
from deploy.docker.local_base import BaseFault, make_base
from tests.deploy.dockerfiles import DOCKERFILES, ROOT

NO_SUCH = ROOT / "no-such-python"


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_a_base_has_the_full_name_that_the_dockerfile_begins_with(dockerfile):
    name = base_image(ROOT / dockerfile)
    registry, *_ = name.split("/")
    assert "." in registry
    assert "$" not in name
    assert ":" in name.rsplit("/", 1)[1]


def test_a_machine_without_the_programs_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImageFault, match="apt-get install buildah debootstrap"):
        check(tmp_path, {})


def test_an_interpreter_that_does_not_run_is_named(tmp_path):
    with pytest.raises((BaseFault, OSError), match="no-such-python"):
        make_base(tmp_path, NO_SUCH, None)


def test_pips_own_configuration_reaches_the_build(tmp_path, monkeypatch):
    """Where packages come from a local index, the build could not install any without it."""
    index = tmp_path / "index"
    (index / "simple").mkdir(parents=True)
    config = tmp_path / "pip.conf"
    told = f"user:\n  {config}, exists: True\n    global.extra-index-url: file://{index}/simple\n"
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: SimpleNamespace(stdout=told))
    volumes = pip_volumes()
    assert f"--volume={config}:/etc/xdg/pip/pip.conf:ro" in volumes
    assert f"--volume={index}:{index}:ro" in volumes, "an index names files that lie beside it"


def test_a_failed_build_is_one_sentence_with_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(
        Buildah, "command", lambda self, *words: [sys.executable, "-c", "print('no space'); exit(1)"]
    )
    with pytest.raises(ImageFault, match=r"^buildah bud failed: no space \(all of it: .*/log\)$"):
        Buildah(tmp_path).run("bud", log=tmp_path / "log")


@pytest.fixture
def pip(monkeypatch):
    """Answers instead of pip; returns what it was asked for."""
    asked = []

    def answer(returncode, stderr=""):
        def run(command, **options):
            with open(command[-1]) as file:
                asked.append((command, file.read()))
            return SimpleNamespace(returncode=returncode, stderr=stderr)

        monkeypatch.setattr(subprocess, "run", run)
        return asked

    return answer


def test_pip_is_asked_for_the_containers_python_and_not_for_a_second_triton(pip):
    asked = pip(0)
    check_lock(ROOT / "requirements.lock")
    [(command, packages)] = asked
    assert f"--python-version={check_images.CONTAINER_PYTHON}" in command
    assert "--only-binary=:all:" in command, "the image has no compiler"
    assert "nvidia-pytriton" in (ROOT / "requirements.lock").read_text()
    assert "nvidia-pytriton" not in packages
    assert "--hash=sha256:" in packages


def test_a_package_without_a_wheel_is_named(pip):
    pip(1, "WARNING: x\nERROR: No matching distribution found for some-package==1.0\n")
    with pytest.raises(ImageFault, match=r"requirements\.lock does not install on Python 3\.12: .*some-p"):
        check_lock(ROOT / "requirements.lock")
