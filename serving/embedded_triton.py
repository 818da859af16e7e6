"""The Triton of the wheel nvidia-pytriton, and what it needs of this machine."""

import ctypes
import importlib.util
import sys
import sysconfig
from pathlib import Path

from serving.errors import CannotServe
from serving.installed import installed_version

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def embedded_triton() -> Path:
    """Its folder. Raises CannotServe, which says what to do, if it is missing or cannot serve here."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise CannotServe("the package nvidia-pytriton, which contains Triton, is missing: run `make setup`")
    library = f"libpython{PYTHON}.so.1.0"
    if not (Path(sysconfig.get_config_var("LIBDIR"), library).exists() or _loads(library)):
        raise CannotServe(
            f"{library}, which Triton's Python stub needs, is not on this machine: install it "
            f"(Debian and Ubuntu: apt-get install libpython{PYTHON}; pyenv: --enable-shared)"
        )
    numpy = installed_version("numpy") or "0"
    if int(numpy.split(".")[0]) >= 2:
        raise CannotServe(
            f"NumPy {numpy} is installed, and the embedded Triton needs NumPy 1: with NumPy 2 its "
            "Python stub returns empty tensors without an error; run `make setup`"
        )
    return Path(spec.submodule_search_locations[0], "tritonserver")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
