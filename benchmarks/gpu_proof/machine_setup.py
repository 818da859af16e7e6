"""Makes the environment of the proof on its machine, with that machine's own Python and nothing else.

    python3 machine_setup.py /tmp/gpu_proof

The environment has the carried packages first, among them NumPy 1.26: Triton's Python stub hands out empty
tensors with NumPy 2, and says nothing. After them come that machine's own packages, for torch and
transformers. Triton's stub also needs the shared library of Python. Where the machine's has none, the
environment uses the carried Python, with the machine's packages all the same.
"""

import ctypes
import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

WANTED = (3, 12)


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
    theirs = [it for it in (*site.getsitepackages(), site.getusersitepackages()) if Path(it).is_dir()]
    folders = [str(place / "site"), *theirs, str(place / "code")]
    install = "from benchmarks.gpu_proof import stand_ins; stand_ins.install()"
    paths = [*folders, f"import sys; exec({install!r})"]  # site runs lines that begin with `import`
    (packages / "gpu_proof.pth").write_text("".join(f"{line}\n" for line in paths))
    (place / "environment.sh").write_text("".join(f"{line}\n" for line in lines))
    print(f"gpu_proof: {python}, {library} {'of this machine' if own else 'carried'}; packages of {theirs}")


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
