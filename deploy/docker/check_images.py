"""Builds both images without Docker, and runs them with Compose's commands and health checks.

No registry of images is needed. `buildah` builds the Dockerfiles as they are, on local bases with the names
of the real ones. A base has Debian's packages (debootstrap) and this machine's Python; Triton's has also the
server of the wheel that `make serve` uses. That has no TensorRT, so the build leaves TensorRT out. The CPU
profile then exports lucy-tiny and serves it in the images. Before that, pip is asked whether every package of
the locks has a wheel for the containers' own Python.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.docker.local_base import BaseFault, make_base
from serving.command_line import run

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
NEEDED = {"buildah": "buildah", "debootstrap": "debootstrap"}  # programs, and Debian's packages with them
READY_WITHIN_S = 300


CONTAINER_PYTHON = "3.12"
GLIBC = (17, 24, 26, 27, 28, 31, 34, 35)  # 2.… of the wheels that Debian 12 and Ubuntu 24.04 can load


class ImageFault(Exception):
    """What is wrong with an image, or with this machine, in one sentence."""


@dataclass(frozen=True)
class Buildah:
    """buildah without root's own storage, a daemon or a registry."""

    folder: Path

    def run(self, *words: str | Path, log: Path | None = None) -> str:
        command = self.command(*words)
        if log is None:
            done = subprocess.run(command, capture_output=True, text=True)
        else:
            with log.open("w") as file:
                done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            told = log.read_text() if log else done.stdout + done.stderr
            last = "; ".join(told.strip().splitlines()[-3:])
            raise ImageFault(f"buildah {words[0]} failed: {last}" + (f" (all of it: {log})" if log else ""))
        return (done.stdout or "").strip()

    def command(self, *words: str | Path) -> list[str | Path]:
        # vfs works on every file system, within containers too.
        storage = (
            "--root",
            self.folder / "root",
            "--runroot",
            self.folder / "run",
            "--storage-driver",
            "vfs",
        )
        return ["buildah", *storage, *words]

    def add_base(self, name: str, tree: Path) -> None:
        container = self.run("from", "scratch")
        self.run("copy", "--quiet", container, tree, "/")
        self.run("commit", "--quiet", "--rm", container, name)


def base_image(dockerfile: Path) -> str:
    """The full name of the image that a Dockerfile begins with."""
    text = dockerfile.read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
    name = re.sub(
        r"\$\{(\w+)\}", lambda match: arguments[match[1]], re.findall(r"^FROM (\S+)", text, re.MULTILINE)[0]
    )
    return name if "/" in name else f"docker.io/library/{name}"


def pip_volumes() -> list[str]:
    """This machine's configuration of pip and the folders that it names, for pip in the build."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "debug"], capture_output=True, text=True, check=True
    ).stdout
    files = [Path(name) for name in re.findall(r"(/\S+), exists: True", told)]
    folders = {
        Path(name.removeprefix("file://")) for name in re.findall(r"(?:file://|[= '])(/[\w./-]+)", told)
    }
    found = [
        (file, file if file.is_relative_to("/etc") else Path("/etc/xdg/pip") / "pip.conf") for file in files
    ]
    mounted = {target: source for source, target in found}
    # An index in a folder may name files beside it.
    for folder in {it.parent if it.name == "simple" else it for it in folders}:
        if folder.exists() and not folder.is_relative_to("/etc/pip") and folder not in files:
            mounted[folder] = folder
    return [f"--volume={source}:{target}:ro" for target, source in sorted(mounted.items())]


def build(buildah: Buildah, service: str, arguments: Sequence[str] = ()) -> str:
    """The image of a service of Compose, built as Compose would; returns its name."""
    described = SERVICES[service]
    log = buildah.folder / f"{service}.log"
    print(f"{described['image']}: build ({log})", flush=True)
    buildah.run(
        "bud", "--isolation", "chroot", "--pull-never", "--layers=false", *pip_volumes(), *arguments,
        "--file", ROOT / described["build"]["dockerfile"], "--tag", described["image"], ROOT, log=log,
    )  # fmt: skip
    return str(described["image"])


class Container:
    """A container of an image, as the image's user, with the network of this machine."""

    def __init__(self, buildah: Buildah, image: str):
        self._buildah = buildah
        self.name = buildah.run("from", "--pull-never", image)
        config = json.loads(buildah.run("inspect", self.name))["OCIv1"]["config"]
        if config.get("User", "root") in ("", "root", "0"):
            raise ImageFault(f"{image} would run as root")
        self._entry = config.get("Entrypoint", [])

    def start(self, words: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
        with log.open("w") as file:
            return subprocess.Popen(
                self._command([*self._entry, *words], environment), stdout=file, stderr=subprocess.STDOUT
            )

    def check(self, words: Sequence[str], **environment: str) -> bool:
        command = self._command(words, environment)
        return subprocess.run(command, capture_output=True).returncode == 0

    def _command(self, words: Sequence[str], environment: dict[str, str]) -> list[str | Path]:
        given = [f"--env={name}={value}" for name, value in environment.items()]
        return self._buildah.command("run", "--isolation", "chroot", *given, self.name, "--", *words)


def wait_for(
    what: str, process: subprocess.Popen[bytes], log: Path, ready: Sequence[str], container: Container
) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not container.check(ready):
        if process.poll() is not None or time.monotonic() > deadline:
            last = "; ".join(log.read_text().strip().splitlines()[-3:])
            raise ImageFault(f"{what} is not healthy: {last} (all of it: {log})")
        time.sleep(1)
    print(f"{what}: healthy", flush=True)


def wheel_platforms() -> list[str]:
    """pip's options for wheels that the containers can load."""
    platforms = ["manylinux1", "manylinux2010", "manylinux2014", *(f"manylinux_2_{it}" for it in GLIBC)]
    return [f"--platform={platform}_x86_64" for platform in platforms]


def check_lock(lock: Path, python: str = CONTAINER_PYTHON) -> None:
    """Raises ImageFault if a package of the lock has no wheel for that Python, or one with another hash."""
    # As the Dockerfile, without the wheel that contains Triton.
    packages = re.sub(r"nvidia-pytriton==.*\\\n(    --hash=.*\n)+", "", lock.read_text())
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "packages.txt")
        wanted.write_text(packages)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed",
             "--no-deps", "--only-binary=:all:", f"--python-version={python}", f"--target={folder}/target",
             *wheel_platforms(), "--requirement", wanted],
            capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        faults = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise ImageFault(f"{lock.name} does not install on Python {python}: {'; '.join(faults[-2:])}")
    print(f"{lock.name}: every package has a wheel for Python {python}", flush=True)


def check(folder: Path, interpreters: dict[str, Path]) -> None:
    """interpreters: of the proxy's image and of Triton's. Raises ImageFault."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        raise ImageFault(f"this machine lacks {' and '.join(missing)}: apt-get install {' '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    for lock in ("requirements-proxy.lock", "requirements.lock"):
        check_lock(ROOT / lock)
    buildah = Buildah(folder)
    buildah.run("rm", "--all")  # of an earlier check
    wheel = Path(sysconfig.get_path("purelib"), "pytriton", "tritonserver")
    for service, interpreter in interpreters.items():
        name = base_image(ROOT / SERVICES[service]["build"]["dockerfile"])
        print(f"{name}: a local stand-in with {interpreter}", flush=True)
        try:
            tree = make_base(folder, interpreter, wheel if service == "triton" else None)
        except BaseFault as error:
            raise ImageFault(str(error)) from error
        buildah.add_base(name, tree)
    proxy = Container(buildah, build(buildah, "proxy"))
    triton = Container(buildah, build(buildah, "triton", ["--build-arg", "TENSORRT="]))

    log = folder / "export.log"
    export = triton.start(["/app/export/checkpoints/lucy-tiny", "--profile=cpu"], log)
    if export.wait():
        raise ImageFault(
            f"the export failed in the image: {log.read_text().strip().splitlines()[-1:]} (all of it: {log})"
        )
    print("export: done", flush=True)
    with ExitStack() as processes:
        for service, container, words, ready in (
            ("triton", triton, SERVICES["triton"]["command"], SERVICES["triton"]["healthcheck"]["test"][1:]),
            (
                "proxy",
                proxy,
                ["python", "-m", "frontend_proxy"],
                SERVICES["proxy"]["healthcheck"]["test"][1:],
            ),
        ):
            log = folder / f"{service}-run.log"
            process = container.start(
                [word.replace("$$", "$") for word in words], log, TRITON_URL="127.0.0.1:8001"
            )
            processes.callback(process.wait)
            processes.callback(process.terminate)
            wait_for(service, process, log, [word.replace("$$", "$") for word in ready], container)
        model = (
            "import http.client, json, sys; c = http.client.HTTPConnection('127.0.0.1', 5000, timeout=5); "
            "c.request('GET', '/health'); sys.exit(not json.load(c.getresponse())['ai_model_loaded'])"
        )
        wait_for("the model behind the proxy", process, log, ["python", "-c", model], proxy)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.docker.check_images", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--proxy-python", type=Path, default=Path(sys.executable), help="of the proxy's image"
    )
    parser.add_argument("--triton-python", type=Path, default=Path(sys.executable), help="of Triton's image")
    args = parser.parse_args(argv)
    try:
        check(args.folder.resolve(), {"proxy": args.proxy_python, "triton": args.triton_python})
    except ImageFault as error:
        print(f"check-images: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(run("check-images", main))
