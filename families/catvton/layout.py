"""Where CatVTON's three parts lie: its attention weights, the UNet that they belong to, and a VAE.

On the hub they are three repositories, of which CatVTON's has one folder for each version. On a disk the base
and the VAE lie in folders within or beside it; those that are missing are downloaded.
"""

from dataclasses import dataclass
from pathlib import Path

BASE = "booksforcharlie/stable-diffusion-inpainting"
VAE = "stabilityai/sd-vae-ft-mse"
ATTENTION = "attention/model.safetensors"
# What the folders of the two other parts are called.
_BASES = ("base", BASE.rpartition("/")[2])
_VAES = ("vae", VAE.rpartition("/")[2])


@dataclass(frozen=True)
class Version:
    """resolution: (height, width) that it was trained for."""

    folder: str
    resolution: tuple[int, int] = (1024, 768)


DEFAULT = "mix"
VERSIONS = {
    DEFAULT: Version("mix-48k-1024"),
    "vitonhd": Version("vitonhd-16k-512", (512, 384)),
    "dresscode": Version("dresscode-16k-512", (512, 384)),
}


@dataclass(frozen=True)
class Layout:
    """The parts of one version. base, vae: None where they are not on this disk.

    folder: that the user gave.
    """

    folder: Path
    version: str
    attention: Path
    base: Path | None
    vae: Path | None

    @property
    def resolution(self) -> tuple[int, int]:
        """Of a version that is not known, the default's."""
        return VERSIONS.get(self.version, VERSIONS[DEFAULT]).resolution


def version_folder(version: str) -> str:
    """The folder of a version in CatVTON's repository, by its short name or its own."""
    return VERSIONS[version].folder if version in VERSIONS else version


def find(folder: Path) -> Layout | None:
    """The parts in this folder, which holds all of them, or CatVTON's repository, or one version of it.

    Returns None if it has no attention weights. Of several versions it takes the first in VERSIONS.
    """
    folder = folder.absolute()
    found = {path.parent.parent.name: path for path in _attentions(folder)}
    if not found:
        return None
    known = {version.folder: name for name, version in VERSIONS.items()}
    chosen = next((it for it in known if it in found), min(found))
    around = (folder, found[chosen].parents[2], *folder.parents[:2])
    return Layout(
        folder=folder,
        version=known.get(chosen, chosen),
        attention=found[chosen],
        base=_first(around, _BASES, "unet/config.json"),
        vae=_first(around, _VAES, "config.json"),
    )


def _attentions(folder: Path) -> list[Path]:
    patterns = ("", "*/", "*/*/")
    return [path for pattern in patterns for path in sorted(folder.glob(f"{pattern}{ATTENTION}"))]


def _first(around: tuple[Path, ...], names: tuple[str, ...], with_file: str) -> Path | None:
    places = (place / name for place in around for name in names)
    return next((place for place in places if (place / with_file).is_file()), None)
