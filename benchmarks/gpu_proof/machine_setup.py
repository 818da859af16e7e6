"""Makes the environment of the proof on its machine, with that machine's own Python and nothing else.

    python3 machine_setup.py /tmp/gpu_proof

The environment has the carried packages, among them NumPy 1.26: Triton's Python stub hands out empty tensors
with NumPy 2, and says nothing. Of that machine's own packages it has torch, transformers and what these
require, and no others: transformers imports scikit-learn, peft and more wherever it finds them, and what was
built for NumPy 2 fails with 1.26. Triton's stub also needs the shared library of Python. Where the machine's
has none, the environment uses the carried Python.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Container
from importlib import metadata
from pathlib import Path

WANTED = (3, 12)
THEIRS = ("torch", "transformers", "safetensors")  # of the machine, with all that they require


def main(place: Path) -> None:
    if sys.version_info[:2] != WANTED:
        sys.exit(
            f"gpu_proof: {sys.executable} is Python {sys.version.split()[0]}, and the packages are for 3.12"
        )
    carried = place / "python"
    library = f"libpython{WANTED[0]}.{WANTED[1]}.so.1.0"
    own = not os.environ.get("GPU_PROOF_CARRIED_PYTHON") and _loads(library)
    python = Path(sys.executable) if own else carried / "bin" / f"python{WANTED[0]}.{WANTED[1]}"
    environment = dict(os.environ)
    lines = []
    if not own:
        path = os.pathsep.join(filter(None, [str(carried / "lib"), environment.get("LD_LIBRARY_PATH")]))
        environment["LD_LIBRARY_PATH"] = path
        lines = [f'export LD_LIBRARY_PATH="{path}"']
    venv = place / "venv"
    subprocess.run([python, "-m", "venv", "--clear", "--without-pip", venv], check=True, env=environment)
    packages = venv / "lib" / f"python{WANTED[0]}.{WANTED[1]}" / "site-packages"
    theirs = link_packages(place / "theirs", {path.name for path in (place / "site").iterdir()})
    folders = [str(place / "site"), str(theirs), str(place / "code")]
    install = "from benchmarks.gpu_proof import stand_ins; stand_ins.install()"
    paths = [*folders, f"import sys; exec({install!r})"]  # site runs lines that begin with `import`
    (packages / "gpu_proof.pth").write_text("".join(f"{line}\n" for line in paths))
    (place / "environment.sh").write_text("".join(f"{line}\n" for line in lines))
    origin = "of this machine" if own else "carried"
    print(f"gpu_proof: {python}, {library} {origin}; {len(list(theirs.iterdir()))} entries of {sys.prefix}")


def link_packages(folder: Path, carried: Container[str]) -> Path:
    """Links THEIRS and what they require, except what is carried, into a folder. Raises SystemExit."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    left, seen = list(THEIRS), set()
    while left:
        name = canonical(left.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name in THEIRS:
                sys.exit(f"gpu_proof: {sys.executable} has no {name}")
            continue  # of another platform, or carried
        left += [
            re.match(r"[\w.-]+", it)[0]
            for it in found.requires or ()
            if "extra ==" not in it.partition(";")[2]
        ]
        tops = {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}
        if any(top in carried for top in tops):
            continue
        for top in tops:
            source = Path(str(found.locate_file(top)))
            if source.exists() and not (folder / top).exists():
                (folder / top).symlink_to(source)
    return folder


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _loads(library: str) -> bool:
    for name in (Path(sysconfig.get_config_var("LIBDIR") or "/", library), library):
        try:
            ctypes.CDLL(str(name))
        except OSError:
            continue
        return True
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
