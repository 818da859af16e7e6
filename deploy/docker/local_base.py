"""Root file systems that stand in for the images' bases: Debian's packages and a Python of this machine."""

import shutil
import subprocess
from pathlib import Path

# What a Python that was compiled on this machine may link to, and what the Dockerfiles expect of their bases.
PACKAGES = (
    "ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "libgomp1", "liblzma5", "libncursesw6",
    "libreadline8", "libsqlite3-0", "libssl3", "libstdc++6", "zlib1g",
)  # fmt: skip
MIRROR = "http://deb.debian.org/debian"


class BaseFault(Exception):
    """Why there is no base, in one sentence."""


def make_base(folder: Path, interpreter: Path, triton: Path | None) -> Path:
    """A root file system with that Python as /usr/local/bin/python3, in `folder`.

    triton: the folder of a Triton, which becomes /opt/tritonserver; None: none.
    """
    prefix, version = _ask(
        interpreter, "import sys; print(sys.base_prefix); print('%d.%d' % sys.version_info[:2])"
    )
    tree = folder / f"base-{version}{'-triton' if triton else ''}"
    if (tree / "made").exists():
        return tree
    shutil.rmtree(tree, ignore_errors=True)
    # Not shutil.copytree, which would read /dev/zero to its end.
    _run(["cp", "--archive", _debian(folder), tree], "the copy of Debian's packages")
    _copy_python(Path(prefix), version, tree)
    if triton is not None:
        _copy_triton(triton, version, tree)
    # The loader has to know /usr/local/lib.
    _run(["chroot", tree, "/sbin/ldconfig"], "ldconfig")
    (tree / "made").touch()
    return tree


def _debian(folder: Path) -> Path:
    """Debian's smallest system, of this machine's release, whose libraries its Python was linked with."""
    tree = folder / "debian"
    if not (tree / "made").exists():
        shutil.rmtree(tree, ignore_errors=True)
        codename = _release()
        _run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", codename, tree, MIRROR],
            f"debootstrap {codename} from {MIRROR}",
        )
        (tree / "made").touch()
    return tree


def _release() -> str:
    fields = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    if fields.get("ID") != "debian":
        raise BaseFault(
            "this machine is no Debian, so its Python cannot run on a base made of Debian's packages"
        )
    return fields["VERSION_CODENAME"]


def _copy_python(prefix: Path, version: str, tree: Path) -> None:
    if prefix == Path("/usr"):
        raise BaseFault(
            "name a Python of its own folder (pyenv, /usr/local), since Debian's is spread over /usr"
        )
    local = tree / "usr" / "local"
    library = prefix / "lib" / f"python{version}"
    shutil.copytree(
        library, local / "lib" / library.name, symlinks=True, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("test", "__pycache__", "site-packages", "idlelib", "turtledemo"),
    )  # fmt: skip
    (local / "lib" / library.name / "site-packages").mkdir(exist_ok=True)
    for shared in (prefix / "lib").glob("libpython3*.so*"):
        shutil.copy(shared, local / "lib", follow_symlinks=False)
    shutil.copy(prefix / "bin" / f"python{version}", local / "bin")
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(f"python{version}")


def _copy_triton(wheel: Path, version: str, tree: Path) -> None:
    place = tree / "opt" / "tritonserver"
    shutil.copytree(wheel / "bin", place / "bin")
    shutil.copytree(wheel / "backends", place / "backends")
    stub = wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    copied = Path(shutil.copy(stub, place / "backends" / "python"))
    copied.chmod(0o755)  # Triton would do it, and the image's user may not
    # Where the binaries of the wheel look: three folders above.
    shutil.copytree(wheel.parents[1] / "nvidia_pytriton.libs", tree / "nvidia_pytriton.libs")


def _ask(interpreter: Path, code: str) -> list[str]:
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise BaseFault(f"{interpreter} does not run")
    return done.stdout.split()


def _run(command: list[str | Path], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BaseFault(f"{what} failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
