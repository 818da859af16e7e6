"""SDXL inpainting for the export."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from export import hub
from export.errors import ExportError
from export.pipeline_config import Supported, read_config
from families.family import Licence, Loaded, LoraTarget
from families.sdxl_inpainting import checkpoint
from pipeline.recipe import PipelineConfig, Recipe, Resolution

NAME = "sdxl_inpainting"
TITLE = "SDXL inpainting"
LICENCE = Licence("the checkpoint's own", None, "read it where you got the checkpoint")
TEXT_ENCODER, UNET = "sdxl_text_encoder", "sdxl_unet"
STAGES = (TEXT_ENCODER, "vae_encoder", UNET, "vae_decoder")
_SUPPORTED = Supported(framing=("garment",), scene_light=False)
recognise = checkpoint.recognise


def claims(names: Collection[str]) -> bool:
    wanted = {"model_index.json", "unet/config.json", "text_encoder_2/config.json"}
    return wanted <= set(names) and "unet_encoder/config.json" not in names


def download(hub_id: str) -> Path:
    return hub.download(hub_id, checkpoint.NETWORKS, checkpoint.CONFIGURATION)


def check(path: Path) -> Sequence[Path]:
    checkpoint.check(path)
    return sorted(it for it in path.rglob("*") if it.is_file())


def load(path: Path) -> Loaded:
    from families.sdxl_inpainting.networks import UNet
    from families.sdxl_inpainting.stages import describe_stages

    loaded = checkpoint.load(path)
    size = loaded.unet.config.sample_size
    config = read_config(path, lambda: default_config(path, size), _SUPPORTED)
    stages = describe_stages(loaded, config.resolutions)
    [unet] = (stage for stage in stages if stage.name == UNET)
    return Loaded(
        config=config,
        stages=stages,
        stage_names=STAGES,
        scheduler_config=loaded.scheduler_config,
        licence=LICENCE,
        files=loaded.text.tokenizer_files(),
        settings={"zero_negative": loaded.zero_negative},
        lora=LoraTarget(
            loaded.unet,
            lambda network: replace(unet, module=UNet(network)),
            {name: getattr(loaded.text.encoders, name) for name in ("text_encoder", "text_encoder_2")},
        ),
    )


def default_config(path: Path, sample_size: object) -> PipelineConfig:
    """For a checkpoint without a `pipeline.json`.

    sample_size: the UNet's, in latent pixels; a pair is (height, width).
    """
    resolution = _resolution(path, sample_size)
    common = {"resolution": resolution, "unet": UNET}
    return PipelineConfig(
        resolution=resolution,
        conditioning="masked",
        prompt="a photograph of a person wearing a {fabric} jacket, natural light, realistic folds",
        negative_prompt="drawing, render, flat, blurry, deformed",
        keyframe=Recipe(
            scheduler="UniPCMultistepScheduler", steps=4, strength=0.5, guidance_scale=1, **common
        ),
        capture=Recipe(
            scheduler="DPMSolverMultistepScheduler", steps=25, strength=0.6, guidance_scale=6, **common
        ),
    )


def _resolution(path: Path, sample_size: object) -> Resolution:
    match sample_size:
        case int() as side if side > 0:
            return 8 * side, 8 * side
        case [int() as height, int() as width] if height > 0 and width > 0:
            return 8 * height, 8 * width
    raise ExportError(
        f"{path}: its UNet's sample_size is {sample_size!r}, for which there is no default: write a "
        "pipeline.json with a resolution"
    )
