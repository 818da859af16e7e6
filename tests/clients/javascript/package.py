"""The npm package as `npm pack` makes it, and a shop's project that has installed it beside React."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.npm import installed

SOURCE = Path("clients/javascript")
PLACE = Path("build/npm-client")
PACKAGES = (
    "@types/react@19.2.2",
    "esbuild@0.25.11",
    "react@19.2.0",
    "react-dom@19.2.0",
    "typescript@5.9.3",
)
[COMPONENT] = re.findall(r"```tsx\n(.*?)```", Path("docs/client.md").read_text(), re.DOTALL)


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The unpacked tarball."""
    if not shutil.which("npm"):
        pytest.skip("npm pack needs Node.js and npm")
    folder = tmp_path_factory.mktemp("package")
    command = ["npm", "pack", "--pack-destination", str(folder)]
    subprocess.run(command, cwd=SOURCE, capture_output=True, check=True, timeout=60)
    [tarball] = folder.glob("*.tgz")
    shutil.unpack_archive(tarball, folder)
    return folder / "package"


@pytest.fixture(scope="session")
def project(package):
    """A shop's folder with the package, and the component that docs/client.md shows.

    It lies in the folder where React and the tools are installed, so that Node.js finds them.
    """
    place = installed(PLACE, *PACKAGES)
    with tempfile.TemporaryDirectory(prefix="shop-", dir=place) as folder:
        project = Path(folder)
        shutil.copytree(package, project / "node_modules/lucy-try-on")
        (project / "package.json").write_text('{ "type": "module" }')
        (project / "TryOn.tsx").write_text(COMPONENT)
        yield project


def run(project, *command, status=0):
    """What a command in the project prints; `tsc` and `esbuild` are found by their names."""
    tool = project.parent / "node_modules/.bin" / command[0]
    whole = [str(tool.resolve()) if tool.exists() else command[0], *command[1:]]
    done = subprocess.run(whole, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
