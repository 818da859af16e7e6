"""Recognises a checkpoint of the IDM-VTON family by its files, and says what is missing from one."""

from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.files import check_text, read_json
from export.weights import find_weights

TITLE = "IDM-VTON"
NETWORKS = ("unet", "unet_encoder", "image_encoder", "text_encoder", "text_encoder_2", "vae")
# Patterns of the files of a repository beside the networks' folders.
CONFIGURATION = ("pipeline.json", "scheduler/*", "tokenizer/*", "tokenizer_2/*")
DENSEPOSE_SUFFIXES = (".onnx", ".pt", ".torchscript")
# Latents (4), mask (1), masked person (4), pose picture (4).
CHANNELS = 13
# The class of its UNets: transformer blocks after one and two halvings of the latents.
_BLOCKS = ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"]


def recognise(folder: Path) -> bool:
    """Whether it is one. Its model_index.json names a plain StableDiffusionXLInpaintPipeline, and neither
    `unet_encoder` nor `image_encoder`; so the folders and the UNet's channels count."""
    config = _config(folder, "unet")
    return config.get("in_channels") == CHANNELS and (
        config.get("encoder_hid_dim_type") == "ip_image_proj"
        or any((folder / part).is_dir() for part in ("unet_encoder", "image_encoder"))
    )


def check(folder: Path, densepose: Path | None = None) -> list[Path]:
    """Every file that decides what is exported.

    densepose: a DensePose network that comes with it.

    Raises ExportError, which names the family and the file, if one is missing, broken or of another kind.
    """
    files = [_whole(folder, f"{part}/config.json") for part in NETWORKS]
    for part in ("unet", "unet_encoder"):
        if (found := read_json(folder / part / "config.json").get("down_block_types")) != _BLOCKS:
            raise ExportError(f"{folder} is {TITLE}, but its {part} has the blocks {found}, not SDXL's")
    files.append(_whole(folder, "scheduler/scheduler_config.json"))
    for tokenizer in ("tokenizer", "tokenizer_2"):
        if not (folder / tokenizer / "tokenizer.json").is_file():
            _whole(folder, f"{tokenizer}/vocab.json")
            _whole(folder, f"{tokenizer}/merges.txt")
        files += sorted(it for it in (folder / tokenizer).iterdir() if it.is_file())
    for part in NETWORKS:
        files += find_weights(folder, part).files
    if densepose is not None:
        if not densepose.is_file():
            raise ExportError(f"there is no DensePose network {densepose}")
        if densepose.suffix not in DENSEPOSE_SUFFIXES:
            raise ExportError(
                f"{densepose} is no DensePose network: give TorchScript or ONNX "
                f"({', '.join(DENSEPOSE_SUFFIXES)})"
            )
        files.append(densepose)
    own = folder / "pipeline.json"
    return [*files, own] if own.is_file() else files


def _whole(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ExportError(f"{folder} is {TITLE}, but incomplete: {path} is missing")
    (read_json if path.suffix == ".json" else check_text)(path)
    return path


def _config(folder: Path, part: str) -> dict[str, Any]:
    try:
        return read_json(folder / part / "config.json")
    except ExportError:
        return {}
