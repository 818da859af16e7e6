"""Packs what the proof needs on a machine without network, in two parts of at most 64 MiB.

Part 1: the code, lucy-tiny, data, and packages. Part 2: Triton, OpenCV and gRPC. Both unpack into one folder:

code/     our code, without pictures and pages of the website
data/     scenes and latents, painted here
python/   Python 3.12 with its shared library, if that machine's has none: Triton's Python stub needs it
site/     the packages of the locks for Python 3.12, NumPy 1.26 among them, without what that machine has

The same inputs give the same bytes: names in order, no times, no owners.
"""

import io
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.gpu_proof import stand_ins
from benchmarks.gpu_proof.machine import STAMP
from benchmarks.provenance import commit
from deploy.docker.check_images import CONTAINER_PYTHON, wheel_platforms

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "export" / "checkpoints" / "lucy-tiny"
LARGEST = 64 << 20
_PRESET = 6  # of xz: with 4 a part is too large
SCENES, FIRST_SCENE = 16, 2_003_000  # never trained on
LATENTS, FIRST_LATENT = 64, 1_900_000  # never trained on either: lucy-tiny has seen lower seeds

_CODE = (
    *("catalog", "export", "fabric", "families", "frontend_proxy", "model_repository", "pipeline"),
    *("serving", "training", "benchmarks/gpu", "benchmarks/gpu_proof"),
    *("benchmarks/sessions/pictures.py", "benchmarks/provenance.py"),
    *("tests/data/keyframes/transparent_no_pose", "pyproject.toml", "LICENSE"),
)
_NOT_CODE = re.compile(
    r"^export/checkpoints/|^catalog/textures/|/vendor/|^frontend_proxy/studio/.*\.(glb|jpg|png)$"
    r"|/visible\.onnx$"  # ONNX Runtime is not carried; without the network, geometry finds what is visible
)
# That machine has torch, transformers, safetensors, and what these need.
_PACKAGES = ("diffusers", "nvidia-pytriton")
# Of redis and of tracing, and those for which stand_ins.py stands.
_LEFT_OUT = (
    *("obstore", "redis", "async-timeout", *(name.replace("_", "-") for name in stand_ins.PACKAGES)),
    "googleapis-common-protos",
    *("opentelemetry-exporter-http-transport", "opentelemetry-exporter-otlp-common"),
    *(
        "opentelemetry-exporter-otlp-proto-common",
        "opentelemetry-exporter-otlp-proto-http",
        "opentelemetry-proto",
    ),
)
_SECOND = ("cv2", "opencv_python_headless", "pytriton", "nvidia_pytriton", "grpc")
# Within packages: tests, and Triton's stubs for other Pythons.
_NOT_SITE = re.compile(
    r"(^|/)(tests|test|__pycache__|include)(/|$)"
    rf"|python_backend_stubs/(?!{re.escape(CONTAINER_PYTHON)}/)|nvidia_pytriton\.libs/libpython|\.pyi$"
)
_NOT_PYTHON = re.compile(
    r"(^|/)(test|tests|__pycache__|site-packages|idlelib|turtledemo|tkinter|ensurepip|lib2to3)(/|$)|/config-|\.a$"
)

Keep = Callable[[str], bool]


class PackFault(Exception):
    """Why there are no parts, in one sentence."""


def pack(folder: Path, interpreter: str, only_data: bool = False) -> None:
    """Writes data/, and unless `only_data` parts/ with the two parts and the script that runs them.

    interpreter: a Python 3.12 of this machine, with its shared library. Raises PackFault.
    """
    write_data(folder / "data")
    if only_data:
        return
    python = copy_python(_prefix(interpreter), folder / "python")
    site = install_packages(folder / "site", folder / "packages.txt")
    parts = folder / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)

    def second(name: str) -> bool:
        return name.startswith(_SECOND)

    first = [
        ("code", ROOT, lambda name: True),
        ("code/export/checkpoints/lucy-tiny", CHECKPOINT, lambda name: True),
        ("data", folder / "data", lambda name: True),
        ("python", python, lambda name: True),
        ("site", site, lambda name: not second(name) and not _NOT_SITE.search(name)),
    ]
    last = [("site", site, lambda name: second(name) and not _NOT_SITE.search(name))]
    paths = {number: parts / f"part-{number}.tar.xz" for number in (1, 2)}
    with ThreadPoolExecutor() as pool:
        for written in [pool.submit(write_part, paths[1], first), pool.submit(write_part, paths[2], last)]:
            written.result()
    for path in paths.values():
        describe(path)
    shutil.copy(ROOT / "benchmarks" / "gpu_proof" / "gpu_proof.sh", parts)


def write_data(folder: Path) -> None:
    """Scenes and latents are painted once: two minutes."""
    from benchmarks.gpu_proof.steps.parity import write_scenes
    from benchmarks.gpu_proof.steps.training import write_latents
    from export.checkpoint import locate
    from training.lucy_tiny.shards import SCENES as SCENES_A_SHARD

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "scenes.npz").exists():
        write_scenes(folder / "scenes.npz", CHECKPOINT, SCENES, FIRST_SCENE)
    for stale in set(folder.glob("latents/*.npz")) - {
        folder / "latents" / f"latents-{start:07}.npz"
        for start in range(FIRST_LATENT, FIRST_LATENT + LATENTS, SCENES_A_SHARD)
    }:
        stale.unlink()
    write_latents(folder / "latents", CHECKPOINT, FIRST_LATENT, LATENTS)
    (folder / "tokenizer.json").write_bytes(locate(str(CHECKPOINT)).load().files["tokenizer.json"])


def code_files() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *_CODE],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return {name for name in listed if not _NOT_CODE.search(name) and (ROOT / name).is_file()}


def picked() -> str:
    """The requirements, with their hashes, from both locks."""
    entries: dict[str, str] = {}
    for lock in ("requirements.lock", "requirements-proxy.lock"):
        for name, entry in _entries((ROOT / lock).read_text()):
            if lock == "requirements-proxy.lock" or name in _PACKAGES:
                entries[name] = entry
    return "".join(entry for name, entry in sorted(entries.items()) if name not in _LEFT_OUT)


def _entries(lock: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"^([a-z0-9][a-z0-9._-]*)==[^\n\\]*(?:\\\n[^\n\\]*)*\n", lock, re.MULTILINE):
        yield match[1], match[0]


def install_packages(folder: Path, wanted: Path) -> Path:
    """The packages for Python 3.12, in a folder, and the name and version of our own."""
    text = picked()
    if not (folder.exists() and wanted.exists() and wanted.read_text() == text):
        shutil.rmtree(folder, ignore_errors=True)
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
             "--only-binary=:all:", "--disable-pip-version-check", f"--python-version={CONTAINER_PYTHON}",
             f"--target={folder}", *wheel_platforms(), "--requirement", wanted],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            wanted.unlink()
            faults = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise PackFault(f"pip could not install the packages: {'; '.join(faults[-2:])}")
        if (numpy := folder / "numpy" / "version.py").exists() and '"1.' not in numpy.read_text():
            raise PackFault("the locked NumPy is not 1: Triton's Python stub would hand out empty tensors")
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{ours['name'].replace('-', '_')}-{ours['version']}.dist-info"
    metadata.mkdir(exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {ours['name']}\nVersion: {ours['version']}\n"
    (metadata / "METADATA").write_text(text)
    return folder


def _prefix(interpreter: str) -> Path:
    """The folder of that Python. Raises PackFault if it is not the wanted one, with its shared library."""
    found = shutil.which(interpreter)
    asked = "import sys; print(sys.base_prefix)"
    done = found and subprocess.run([found, "-c", asked], capture_output=True, text=True)
    prefix = Path(done.stdout.strip()) if done and not done.returncode else None
    if prefix is None or not (prefix / "lib" / f"libpython{CONTAINER_PYTHON}.so.1.0").exists():
        raise PackFault(
            f"{interpreter} is no Python {CONTAINER_PYTHON} with a shared library (pyenv: --enable-shared), "
            "which is needed since the machine's own may have none: name one with --python"
        )
    return prefix


def copy_python(prefix: Path, folder: Path) -> Path:
    """What runs of a Python, without what debuggers need: that is three quarters of it."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in _files(prefix):
        name = file.relative_to(prefix).as_posix()
        if _is_python(name) and not _NOT_PYTHON.search(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / name, follow_symlinks=False)
    programs = [
        folder / "bin" / f"python{CONTAINER_PYTHON}",
        *folder.rglob("*.so"),
        *folder.rglob("*.so.1.0"),
    ]
    # Never the wheels' libraries: auditwheel has moved their sections, and they do not load when stripped.
    subprocess.run(["strip", "--strip-unneeded", *programs], check=True)
    return folder


def _is_python(name: str) -> bool:
    return (
        name.startswith(f"lib/python{CONTAINER_PYTHON}/")
        or name == f"lib/libpython{CONTAINER_PYTHON}.so.1.0"
        or name == f"bin/python{CONTAINER_PYTHON}"
    )


def write_part(path: Path, content: list[tuple[str, Path, Keep]]) -> None:
    """content: (a folder in the part, the folder that it comes from, which of its files)."""
    with (
        lzma.open(path, "wb", preset=_PRESET) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as part,
    ):
        for place, source, keep in content:
            for file in sorted(it for it in _files(source) if keep(it.relative_to(source).as_posix())):
                name = f"{place}/{file.relative_to(source).as_posix()}"
                information = part.gettarinfo(file, name)
                information.mtime = information.uid = information.gid = 0
                information.uname = information.gname = ""
                information.mode = 0o755 if information.mode & 0o100 else 0o644
                with file.open("rb") as opened:
                    part.addfile(information, opened if information.isreg() else None)
        if any(place == "code" for place, *_ in content):
            stamp = tarfile.TarInfo(f"code/{STAMP}")
            text = commit().encode()
            stamp.size = len(text)
            part.addfile(stamp, io.BytesIO(text))


def _files(source: Path) -> Iterator[Path]:
    if source == ROOT:
        return (ROOT / name for name in code_files())
    return (it for it in source.rglob("*") if it.is_file() or it.is_symlink())


def describe(path: Path) -> None:
    """Prints what is in a part, and how large it is. Raises PackFault if it is too large."""
    sizes: dict[str, int] = {}
    with tarfile.open(path) as part:
        for member in part:
            words = member.name.split("/")
            inner = "/".join(words[: 2 if words[0] == "site" else 1])
            sizes[inner] = sizes.get(inner, 0) + member.size
    size = path.stat().st_size
    print(f"{path}: {size / 2**20:.1f} MiB; unpacked, in MB:")
    for inner, bytes_ in sorted(sizes.items(), key=lambda it: -it[1])[:16]:
        print(f"  {bytes_ / 1e6:8.1f}  {inner}")
    if size > LARGEST:
        raise PackFault(f"{path} has {size / 2**20:.1f} MiB, and a part may have 64")
