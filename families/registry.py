"""All families of checkpoints, by the names of their folders."""

from importlib import import_module
from pathlib import Path
from typing import cast

from pipeline.garment_cache import GarmentCache
from pipeline.recipe import ServedConfig
from pipeline.tryon.conditioner import Conditioner

# One line for each. An export asks them in this order whether a checkpoint is theirs.
FAMILIES = (
    "sd_inpainting",
)  # fmt: skip


def make_conditioner(config: ServedConfig, folder: Path, cache: GarmentCache) -> Conditioner:
    """The conditioner of the exported checkpoint's family.

    folder: of `tryon`, with what the export wrote for the family. cache: for what depends on a garment alone.
    """
    module = import_module(f"families.{config.family}.conditioner")
    return cast(Conditioner, module.make_conditioner(config, folder, cache))
