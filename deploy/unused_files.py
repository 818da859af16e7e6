"""`python -m deploy.unused_files`, a part of `make setup`: removes what no program of this project opens.

A fifth of the installed packages' disk: their tests, C++ headers, OpenVINO's plugins for other devices and
its readers of other formats, Triton's stubs for other Pythons. Only files that a package's own list (RECORD)
names: pip uninstalls and upgrades such a package as any other. A second run finds nothing to do.

torch's build for CUDA stays whole: a GPU's machine may compile with its headers.
"""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.version import Version

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# By package: what is removed of it, by the path from site-packages.
UNUSED = {
    "networkx": (r"networkx/(.+/)?tests/",),
    "numpy": (r"numpy/(.+/)?tests/",),
    "nvidia-pytriton": (
        rf"pytriton/tritonserver/python_backend_stubs/(?!{re.escape(PYTHON)}/)",
        r"nvidia_pytriton\.libs/libpython",  # only the stub for 3.13 needs it, which nothing here runs on
    ),
    "onnx": (r"onnx/backend/test/",),
    "openvino": (
        r"openvino/include/",
        r"openvino/libs/libopenvino_intel_[gn]pu_plugin",
        r"openvino/libs/cache\.json",  # of the GPU's kernels
        r"openvino/libs/libopenvino_(gguf|jax|paddle|pytorch|tensorflow|tensorflow_lite)_frontend",
    ),
    "sympy": (r"sympy/(.+/)?tests/",),
    "torch": (r"torch/test/", r"torch/include/", r"torch/bin/(test_|protoc|\w+Test$)"),
}


def remove_unused(package: Distribution, patterns: Iterable[str]) -> int:
    """Delete those files of an installed package, and folders that are empty then; returns the bytes."""
    names = [it for it in package.files or [] if any(re.match(pattern, str(it)) for pattern in patterns)]
    found = [path for path in (Path(str(package.locate_file(it))) for it in names) if path.is_file()]
    size = sum(path.stat().st_size for path in found)
    for path in found:
        path.unlink()
    for folder in sorted({folder for path in found for folder in path.parents}, reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return size


def main() -> None:
    size = 0
    for name, patterns in UNUSED.items():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        if name != "torch" or Version(package.version).local == "cpu":
            size += remove_unused(package, patterns)
    if size:
        print(f"Removed {size / 1e6:.0f} MB of the packages' own tests and headers, which nothing here uses.")


if __name__ == "__main__":
    main()
