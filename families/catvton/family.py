"""CatVTON for the export."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from export.errors import ExportError
from export.hub import snapshot
from export.pipeline_config import TRY_ON, read_config
from families.catvton import checkpoint
from families.catvton.layout import ATTENTION, DEFAULT, VERSIONS, Layout, find, version_folder
from families.family import Licence, Loaded, LoraTarget
from pipeline.recipe import PipelineConfig, Recipe, Resolution

NAME = "catvton"
TITLE = "CatVTON"
LICENCE = Licence(
    "CC BY-NC-SA 4.0",
    False,
    "CatVTON's weights are for non-commercial use only",
)
UNET = "catvton_unet"
STAGES = ("vae_encoder", UNET, "vae_decoder")
# A keyframe is waited for: it is smaller than what the checkpoint was trained for.
_KEYFRAME: Resolution = (512, 384)


def recognise(path: Path) -> bool:
    return path.is_dir() and find(path) is not None


def claims(names: Collection[str]) -> bool:
    return any(f"/{name}".endswith(f"/{ATTENTION}") for name in names)


def download(hub_id: str) -> Path:
    """The version that is named behind the repository, as in zhengchong/CatVTON:vitonhd, or the default."""
    repository, _, version = hub_id.partition(":")
    folder = version_folder(version or DEFAULT)
    path = snapshot(repository, [f"{folder}/{ATTENTION}"]) / folder
    if not (path / ATTENTION).is_file():
        raise ExportError(f"{repository} has no version {version}: the known ones are {', '.join(VERSIONS)}")
    return path


def check(path: Path) -> Sequence[Path]:
    layout = _layout(path)
    checkpoint.check(layout)
    own = layout.folder / "pipeline.json"
    return [*checkpoint.files(layout), *([own] if own.is_file() else [])]


def load(path: Path) -> Loaded:
    from families.catvton.networks import UNet
    from families.catvton.stages import describe_stages

    layout = _layout(path)
    config = read_config(layout.folder, lambda: default_config(layout.resolution), TRY_ON)
    unet, vae = checkpoint.load_unet(layout), checkpoint.load_vae(layout)
    stages = describe_stages(unet, vae, config.resolutions)
    [denoiser] = (stage for stage in stages if stage.name == UNET)
    return Loaded(
        config=config,
        stages=stages,
        stage_names=STAGES,
        scheduler_config=dict(checkpoint.load_scheduler(layout).config),
        licence=LICENCE,
        settings={"version": layout.version},
        lora=LoraTarget(unet, lambda network: replace(denoiser, module=UNet(network))),
    )


def default_config(resolution: Resolution) -> PipelineConfig:
    """As upstream: DDIM with guidance 2.5, from pure noise; captures as upstream's own 50 stochastic steps.

    resolution: that of captures.
    """
    common = {"scheduler": "DDIMScheduler", "strength": 1, "guidance_scale": 2.5, "unet": UNET}
    return PipelineConfig(
        resolution=resolution,
        conditioning="person",
        framing="cover",
        prompt="",
        keyframe=Recipe(**common, steps=8, resolution=min(resolution, _KEYFRAME)),
        capture=Recipe(**common, steps=50, eta=1, resolution=resolution),
    )


def _layout(path: Path) -> Layout:
    layout = find(path)
    if layout is None:
        raise ExportError(f"{path} has no {ATTENTION}, CatVTON's attention weights")
    return layout
