"""The environments as NumPy files: Poly Haven's HDRIs (CC0) out of an npm package and of Blender's own
package."""

import base64
import hashlib
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import cv2
import numpy as np
import OpenEXR

NPM_PACKAGE = "@pmndrs/assets@1.7.0"
NPM_SHA512 = (
    "cc798a352fb726fbbd2b7cc90507d840a4fd3e7f4842df2cd2afde242dc25caa"
    "56a7283a2016be8af37d3600e7f9f0d3d80563521d98459fff19752e7ae01d0a"
)
_SIZE = (1024, 512)


def prepare(folder: Path) -> None:
    """Write each environment that is missing, as float16 (512, 1024, 3) linear RGB."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob("bpy-*.npy"))) < 8:
        for name, data in _of_blender():
            _convert(data, folder / f"bpy-{name}.npy")
    if len(list(folder.glob("pmndrs-*.npy"))) < 18:
        for name, data in _of_npm():
            _convert(data, folder / f"pmndrs-{name}.npy")


def _of_blender() -> Iterator[tuple[str, bytes]]:
    spec = util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package `bpy` is missing: see training/photographs/README.md")
    for path in sorted(Path(spec.origin).parent.glob("*/datafiles/studiolights/world/*.exr")):
        yield path.stem, path.read_bytes()


def _of_npm() -> Iterator[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(
            ["npm", "pack", "--silent", NPM_PACKAGE], cwd=temporary, check=True, stdout=subprocess.DEVNULL
        )
        package = next(Path(temporary).glob("*.tgz"))
        digest = hashlib.sha512(package.read_bytes()).hexdigest()
        if digest != NPM_SHA512:
            raise ValueError(f"{NPM_PACKAGE} has another checksum than expected: {digest}")
        with tarfile.open(package) as files:
            for member in files.getmembers():
                match = re.fullmatch(r"package/hdri/(\w+)\.exr\.js", member.name)
                source = files.extractfile(member) if match else None
                if match and source:
                    text = re.search(r"base64,([A-Za-z0-9+/=]+)", source.read().decode())
                    if text:
                        yield match.group(1), base64.b64decode(text.group(1))


def _convert(data: bytes, path: Path) -> None:
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(data)
        file.flush()
        with OpenEXR.File(file.name, separate_channels=True) as picture:
            planes = picture.channels()
            colour = np.stack([planes[letter].pixels.astype(np.float32) for letter in "RGB"], -1)
    if colour.shape[1] > _SIZE[0]:
        colour = cv2.resize(colour, _SIZE, interpolation=cv2.INTER_AREA)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, np.clip(colour, 0, 60000).astype(np.float16))
    partial.rename(path)
