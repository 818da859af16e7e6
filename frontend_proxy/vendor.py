"""Fetches the pages' scripts, styles and models from npm, in the versions of each `vendor/lock.json`.

    python -m frontend_proxy.vendor

The files are in the repository; npm is needed only to update them. To update, first write the new version and
its integrity (`npm view NAME@VERSION dist.integrity`) into `lock.json`.
"""

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

BINARY = {".binarypb", ".data", ".tflite", ".wasm"}


def fetch(package: dict[str, Any], folder: Path) -> None:
    """Write a package's files into `folder`. Raises ValueError if its content is not that of the lock."""
    with tempfile.TemporaryDirectory() as temporary:
        spec = f"{package['name']}@{package['version']}"
        subprocess.run(
            ["npm", "pack", "--silent", spec], cwd=temporary, check=True, stdout=subprocess.DEVNULL
        )
        (archive,) = Path(temporary).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != package["integrity"]:
            raise ValueError(f"{spec} has integrity sha512-{digest}, not that of lock.json")
        with tarfile.open(archive) as content:
            for name, path in package["files"].items():
                member = content.extractfile(f"package/{path}")
                assert member is not None
                (folder / name).parent.mkdir(exist_ok=True, parents=True)
                (folder / name).write_bytes(_by_path(name, _without_source_map(name, member.read())))


def _without_source_map(name: str, data: bytes) -> bytes:
    """Without the comment at a script's end that names its source map, which is not vendored."""
    if Path(name).suffix in BINARY:
        return data
    return data.partition(b"\n//# sourceMappingURL=")[0].rstrip() + b"\n"


def _by_path(name: str, data: bytes) -> bytes:
    """With Three.js's path instead of its name, which would need an import map: an inline script."""
    up = b"../" * name.count("/")
    return data.replace(b"from 'three'", b"from '" + up + b"three.module.js'")


def main() -> None:
    for lock in sorted(Path(__file__).parent.glob("*/vendor/lock.json")):
        for package in json.loads(lock.read_text()):
            fetch(package, lock.parent)
            print(f"{package['name']} {package['version']}: {', '.join(package['files'])}")


if __name__ == "__main__":
    main()
