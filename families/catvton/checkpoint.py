"""Checks and loads CatVTON's parts, each refused in one sentence if it does not fit."""

import re
from pathlib import Path
from typing import Any

from export.errors import ExportError, first_line
from export.files import check_weights, read_json
from export.hub import download
from export.network import load_network
from export.weights import find_weights
from families.catvton.attention import NUMBERS, is_attention_file, merge
from families.catvton.layout import BASE, VAE, Layout

_SCHEDULER = "scheduler/scheduler_config.json"
# What the base's scheduler is made with where its file does not say otherwise.
_SCHEDULER_DEFAULTS = {"clip_sample": False, "set_alpha_to_one": False}


def check(layout: Layout) -> None:
    """Raises ExportError, which names the file, if a part is broken or of another kind."""
    _check_attention(layout.attention)
    base, vae = parts(layout)
    config = _config(base / "unet" / "config.json")
    if (channels := config.get("in_channels")) != 9:
        raise ExportError(
            f"{layout.attention} is CatVTON's, whose base is a UNet for inpainting with 9 input channels, "
            f"and that of {base} has {channels}"
        )
    _config(base / _SCHEDULER)
    find_weights(base, "unet")
    _config(vae / "config.json")
    find_weights(vae, "")


def parts(layout: Layout) -> tuple[Path, Path]:
    """The folders of the base and of the VAE, downloaded where they are missing. Raises ExportError."""
    base = layout.base or _download(layout, "base", BASE, "unet", [_SCHEDULER])
    return base, layout.vae or _download(layout, "vae", VAE, "", ["config.json"])


def files(layout: Layout) -> list[Path]:
    """Every file that decides what is exported."""
    base, vae = parts(layout)
    return [
        layout.attention,
        base / _SCHEDULER,
        base / "unet" / "config.json",
        *find_weights(base, "unet").files,
        vae / "config.json",
        *find_weights(vae, "").files,
    ]


def load_unet(layout: Layout) -> Any:
    """The base's UNet with CatVTON's self-attentions, in single precision. Raises ExportError."""
    from diffusers import UNet2DConditionModel
    from safetensors.torch import load_file

    base, _ = parts(layout)
    unet = load_network(UNet2DConditionModel, base, "unet", low_cpu_mem_usage=False)
    merge(unet, load_file(layout.attention), layout.attention)
    return unet.eval()


def load_vae(layout: Layout) -> Any:
    from diffusers import AutoencoderKL

    _, vae = parts(layout)
    return load_network(AutoencoderKL, vae, "", low_cpu_mem_usage=False).eval()


def load_scheduler(layout: Layout) -> Any:
    """DDIM with the base's values, whichever class its file names. Raises ExportError."""
    from diffusers import DDIMScheduler

    base, _ = parts(layout)
    path = base / _SCHEDULER
    try:
        return DDIMScheduler.from_config(_SCHEDULER_DEFAULTS | _config(path))
    except Exception as error:  # any value may be wrong in any way
        raise ExportError(f"{path} does not load: {first_line(error)}") from error


def _check_attention(path: Path) -> None:
    from safetensors import safe_open

    check_weights(path)
    with safe_open(path, "np") as file:
        keys = list(file.keys())
    if not is_attention_file(keys):
        other = next((key for key in keys if not re.match(r"\d+\.", key)), keys[0] if keys else "no tensor")
        raise ExportError(
            f"{path} is not CatVTON's attention weights, whose tensors are called 0.to_q.weight to "
            f"{15 * NUMBERS}.to_out.0.bias: it contains {other}"
        )


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ExportError(f"CatVTON needs {path}, and it is missing")
    return read_json(path)


def _download(layout: Layout, name: str, hub_id: str, part: str, configuration: list[str]) -> Path:
    try:
        return download(hub_id, [part], configuration)
    except ExportError as error:
        raise ExportError(
            f"{layout.attention} is CatVTON's, which needs {hub_id}, and it cannot be downloaded: put it "
            f"into {layout.attention.parents[2] / name} ({error})"
        ) from error
