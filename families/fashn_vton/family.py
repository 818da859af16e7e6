"""FASHN VTON 1.5 for the export."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from export.hub import snapshot
from export.pipeline_config import TRY_ON, read_config
from families.family import Licence, Loaded
from families.fashn_vton import checkpoint
from pipeline.recipe import PipelineConfig, Recipe, Resolution

NAME = "fashn_vton"
TITLE = "FASHN VTON 1.5"
LICENCE = Licence(
    "Apache-2.0",
    True,
    "FASHN VTON's weights may be used for commerce; its human parser, which has another licence, is not used",
)
DENOISER = "fashn_mmdit"
STAND_INS = (
    "upstream's DWPose: the pose is drawn from MediaPipe's landmarks, without face and hands",
    "upstream's human parser: clothes are not cut out of pictures, and a garment on a model counts as flat",
)
# The schedule that the network was trained for.
_SHIFT = 1.5
recognise = checkpoint.recognise


def claims(names: Collection[str]) -> bool:
    """One network in the repository's own folder; what it is, only its tensors tell."""
    return checkpoint.WEIGHTS in names and not any(name.endswith("model_index.json") for name in names)


def download(hub_id: str) -> Path:
    return snapshot(hub_id, [checkpoint.WEIGHTS, *checkpoint.CONFIGURATION])


def check(path: Path) -> Sequence[Path]:
    checkpoint.check(path)
    return checkpoint.files(path)


def load(path: Path) -> Loaded:
    from families.fashn_vton.stages import describe_stages

    network = checkpoint.load(path)
    sizes = network.sizes
    config = read_config(
        checkpoint.folder_of(path),
        lambda: default_config(sizes.picture),
        replace(TRY_ON, multiple=sizes.patch),
    )
    return Loaded(
        config=config,
        stages=describe_stages(network, config.resolutions),
        stage_names=(DENOISER,),
        scheduler_config={"_class_name": "ShiftedFlowMatching", "shift": _SHIFT},
        licence=LICENCE,
        stand_ins=STAND_INS,
    )


def default_config(resolution: Resolution) -> PipelineConfig:
    """Captures as upstream: 30 guided steps, of which the last is not; keyframes, which are waited for, have
    fewer and no guidance, so that each costs a fifth as much as upstream's fast ones."""
    common = {"scheduler": "ShiftedFlowMatching", "strength": 1, "resolution": resolution, "unet": DENOISER}
    return PipelineConfig(
        resolution=resolution,
        conditioning="person",
        framing="contain",
        prompt="",
        keyframe=Recipe(**common, steps=8, guidance_scale=1),
        capture=Recipe(**common, steps=30, guidance_scale=1.5, unguided_last_steps=1),
    )
