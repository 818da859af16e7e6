"""All families of checkpoints, by the names of their folders."""

from collections.abc import Callable, Collection
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from families.family import Family, FullSize
from families.tuning import Tuning
from pipeline.recipe import ServedConfig

if TYPE_CHECKING:  # OpenCV and Pillow, which an export with nothing to do does without
    from pipeline.tensor_cache import TensorCache
    from pipeline.tryon.conditioner import Conditioner

# One line for each. The export asks them in this order whether a checkpoint is theirs.
FAMILIES = (
    "catvton",
    "fashn_vton",
    "idm_vton",
    "sdxl_inpainting",
    "sd_inpainting",
)  # fmt: skip


def family(name: str) -> Family:
    return cast(Family, import_module(f"families.{name}.family"))


def recognise(path: Path) -> Family | None:
    """The family of the checkpoint in this folder or file; None if it is nobody's."""
    return _first(lambda it: it.recognise(path))


def claimed(names: Collection[str]) -> Family | None:
    """The family of a repository on the hub with files of these names, as far as names tell."""
    return _first(lambda it: it.claims(names))


def titles() -> list[str]:
    return [family(name).TITLE for name in FAMILIES]


def full_size(name: str) -> FullSize | None:
    """The family's networks at their real size; None if it has none to show."""
    module = f"families.{name}.full_size"
    return cast(FullSize, import_module(module)) if find_spec(module) else None


def tuning(name: str) -> Tuning | None:
    """What the family contributes to fine-tuning; None if it is not trained."""
    module = f"families.{name}.tuning"
    return cast(Tuning, import_module(module)) if find_spec(module) else None


def make_conditioner(config: ServedConfig, folder: Path, cache: "TensorCache") -> "Conditioner":
    """The conditioner of the exported checkpoint's family.

    folder: of `tryon`, with what the export wrote for the family. cache: for what depends on a garment alone.
    """
    module = import_module(f"families.{config.family}.conditioner")
    return cast("Conditioner", module.make_conditioner(config, folder, cache))


def _first(wanted: Callable[[Family], bool]) -> Family | None:
    return next((it for it in map(family, FAMILIES) if wanted(it)), None)
