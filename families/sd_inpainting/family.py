"""Stable Diffusion inpainting, for the export."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from export import hub
from families.family import Licence, Loaded, LoraTarget
from families.sd_inpainting.checkpoint import check_folder
from families.sd_inpainting.recipes import recipes
from families.sd_inpainting.single_file import check_single_file

NAME = "sd_inpainting"
TITLE = "Stable Diffusion inpainting"
_LICENCE = Licence("the checkpoint's own", None, "read it where you got the checkpoint")


def recognise(path: Path) -> bool:
    """Every diffusers folder and every file that no other family knows: this one says what is wrong."""
    return path.is_file() or (path / "model_index.json").is_file()


def claims(names: Collection[str]) -> bool:
    return {"model_index.json", "unet/config.json", "text_encoder/config.json"} <= set(names)


def download(hub_id: str) -> Path:
    return hub.download(hub_id)


def check(path: Path) -> Sequence[Path]:
    if path.is_file():
        check_single_file(path)
        return [path]
    check_folder(path)
    return sorted(it for it in path.rglob("*") if it.is_file())


def load(path: Path) -> Loaded:
    from export.tokenizer import tokenizer_json
    from families.sd_inpainting.checkpoint import load as load_networks
    from families.sd_inpainting.light import light_stages
    from families.sd_inpainting.networks import UNet
    from families.sd_inpainting.stages import STAGES, describe_stages, linear_decoder_files

    checkpoint = load_networks(path)
    config = recipes(path, checkpoint.unet.config.sample_size)
    stages = [
        replace(stage, live=config.keyframes_decode) if stage.name == "vae_decoder" else stage
        for stage in describe_stages(checkpoint, config.resolutions)
    ]
    light = light_stages(checkpoint.folder, config)
    [unet] = (stage for stage in stages if stage.name == "unet")
    return Loaded(
        config=config,
        stages=[*stages, *light],
        stage_names=(*STAGES, *(stage.name for stage in light)),
        scheduler_config=dict(checkpoint.scheduler.config),
        licence=_LICENCE,
        files={
            "tokenizer.json": tokenizer_json(checkpoint.tokenizer),
            **linear_decoder_files(config, stages),
        },
        lora=LoraTarget(
            checkpoint.unet,
            lambda network: replace(unet, module=UNet(network)),
            {"text_encoder": checkpoint.text_encoder} | {stage.name: stage.module for stage in light},
        ),
    )
