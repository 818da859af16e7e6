"""The version of an installed package.

importlib.metadata reads it from a file, but takes 0.06 s to import, in each of Triton's processes.
"""

from importlib.util import find_spec
from pathlib import Path


def installed_version(package: str) -> str | None:
    """From the folder beside the package, as PEP 376 names it; None without one of that name."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        for found in Path(place).parent.glob(f"{package}-*.dist-info"):
            return found.name.removesuffix(".dist-info").split("-")[1]
    return None
