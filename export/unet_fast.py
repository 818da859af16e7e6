"""`unet_fast`: the UNet with LoRAs fused into it, a Triton model of its own.

It exists only where an export had LoRAs, so its folder is an artefact: the configuration is the UNet's
under another name.
"""

import shutil
from pathlib import Path

NAME = "unet_fast"
_HAND_WRITTEN = ("config.pbtxt", "configs/cpu.pbtxt", "configs/onnx.pbtxt", "1/model.py")


def write(repository: Path) -> None:
    """Its configurations and its model.py, from `unet`'s."""
    for name in _HAND_WRITTEN:
        source, place = repository / "unet" / name, repository / NAME / name
        if source.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(source.read_text().replace('name: "unet"', f'name: "{NAME}"'))


def remove(repository: Path) -> None:
    shutil.rmtree(repository / NAME, ignore_errors=True)
