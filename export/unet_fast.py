"""`unet_fast`: the Triton model of the UNet with LoRAs.

It exists only after an export with LoRAs, so its folder is an artefact. Its configuration is the UNet's with
another name.
"""

import shutil
from pathlib import Path

NAME = "unet_fast"
_HAND_WRITTEN = ("config.pbtxt", "configs/cpu.pbtxt", "configs/onnx.pbtxt", "1/model.py")


def write(repository: Path) -> None:
    """Write its configurations and its model.py, copied from `unet`."""
    for name in _HAND_WRITTEN:
        source, place = repository / "unet" / name, repository / NAME / name
        if source.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(source.read_text().replace('name: "unet"', f'name: "{NAME}"'))


def remove(repository: Path) -> None:
    shutil.rmtree(repository / NAME, ignore_errors=True)
