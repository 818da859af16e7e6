"""IDM-VTON for the export."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from export import hub
from export.errors import ExportError, first_line
from export.files import read_json
from export.pipeline_config import TRY_ON, read_config
from families.family import Licence, Loaded
from families.idm_vton import layout
from pipeline.recipe import PipelineConfig, Recipe

NAME = "idm_vton"
TITLE = layout.TITLE
# Files that may come with a checkpoint, by the names of the arguments of `check` and `load`.
BESIDE = ("densepose",)
LICENCE = Licence(
    "CC BY-NC-SA 4.0",
    False,
    "IDM-VTON's code and weights are for non-commercial use only, and so are its pictures.",
)
STAND_IN = (
    "no DensePose network (DENSEPOSE=): the picture of the body's parts is drawn from the 33 landmarks, "
    "unless the client sends one as pose_image"
)
TEXT_ENCODER, IMAGE_ENCODER = "idm_text_encoder", "idm_image_encoder"
GARMENT_NET, UNET = "idm_garment_net", "idm_unet"
STAGES = (TEXT_ENCODER, IMAGE_ENCODER, "vae_encoder", "vae_decoder", GARMENT_NET, UNET)
_SCHEDULER = "scheduler/scheduler_config.json"
recognise = layout.recognise


def claims(names: Collection[str]) -> bool:
    return {"unet/config.json", "unet_encoder/config.json", "image_encoder/config.json"} <= set(names)


def download(hub_id: str) -> Path:
    return hub.download(hub_id, layout.NETWORKS, layout.CONFIGURATION)


def check(path: Path, densepose: Path | None = None) -> Sequence[Path]:
    return layout.check(path, densepose)


def load(path: Path, densepose: Path | None = None) -> Loaded:
    from families.idm_vton.checkpoint import values_per_latent
    from families.idm_vton.stages import describe_stages
    from families.sdxl_text import load_text

    config = read_config(path, default_config, TRY_ON)
    return Loaded(
        config=config,
        stages=describe_stages(path, config.resolutions),
        stage_names=STAGES,
        scheduler_config=scheduler_config(read_json(path / _SCHEDULER)),
        licence=LICENCE,
        files=load_text(path).tokenizer_files() | _files(densepose),
        settings={"values_per_latent": values_per_latent(path)} | _settings(densepose),
        stand_ins=() if densepose else (STAND_IN,),
    )


def _files(densepose: Path | None) -> dict[str, bytes]:
    """The network as `tryon` finds it. Raises ExportError if it does not find parts of a body."""
    if densepose is None:
        return {}
    import numpy as np

    from families.idm_vton.densepose import DensePose

    try:
        DensePose(densepose).picture(np.zeros((512, 384, 3), np.uint8))
    except Exception as error:  # of any library
        raise ExportError(f"{densepose} does not run as a DensePose network: {first_line(error)}") from error
    return {_name(densepose): densepose.read_bytes()}


def _settings(densepose: Path | None) -> dict[str, str]:
    return {} if densepose is None else {"densepose": _name(densepose)}


def _name(densepose: Path) -> str:
    return f"densepose{densepose.suffix}"


def scheduler_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """DDIM with the checkpoint's values, which with eta 1 computes what its DDPM does.

    The last step of DDPM ends at ᾱ = 1, so DDIM's does, too: the file's `set_alpha_to_one` means nothing to
    DDPM. Unlike DDPM, DDIM can be given its noise.
    """
    own = {name: value for name, value in values.items() if not name.startswith("_")}
    return {"_class_name": "DDIMScheduler", **own, "set_alpha_to_one": True}


def default_config() -> PipelineConfig:
    """As upstream: guidance 2, from pure noise; captures as upstream's 30 steps of DDPM."""
    common = {"scheduler": "DDIMScheduler", "strength": 1, "guidance_scale": 2, "unet": UNET}
    resolution = (1024, 768)
    return PipelineConfig(
        resolution=resolution,
        conditioning="person",
        framing="cover",
        prompt="model is wearing {garment}",
        negative_prompt="monochrome, lowres, bad anatomy, worst quality, low quality",
        keyframe=Recipe(**common, steps=8, resolution=resolution),
        capture=Recipe(**common, steps=30, eta=1, resolution=resolution),
    )
