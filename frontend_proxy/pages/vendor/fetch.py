"""Fetches the pages' scripts and styles from npm into this folder, as `lock.json` has them.

    python frontend_proxy/pages/vendor/fetch.py

To take newer ones, write their version and integrity (`npm view NAME@VERSION dist.integrity`) there first.
"""

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent


def fetch(package: dict[str, object]) -> None:
    """Raises ValueError for a package whose content is not the one of the lock."""
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
            for name, path in package["files"].items():  # type: ignore[attr-defined]
                member = content.extractfile(f"package/{path}")
                assert member is not None
                # What follows a script's last line is the name of its map, which is not here.
                text = member.read().decode().partition("\n//# sourceMappingURL=")[0].rstrip() + "\n"
                (FOLDER / name).write_text(text)


def main() -> None:
    for package in json.loads((FOLDER / "lock.json").read_text()):
        fetch(package)
        print(f"{package['name']} {package['version']}: {', '.join(package['files'])}")


if __name__ == "__main__":
    main()
