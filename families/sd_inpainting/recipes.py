"""The recipes of a checkpoint: its own, or those of public inpainting checkpoints."""

from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.pipeline_config import Supported, read_config
from pipeline.recipe import PipelineConfig, Recipe

# Its `encode` is not told a framing.
_SUPPORTED = Supported(framing=("garment",))


def default_config(sample_size: int | Sequence[int]) -> PipelineConfig:
    """Raises TypeError or ValueError for a size that gives no default.

    sample_size: the UNet's, in latent pixels; a pair is (height, width).
    """
    height, width = (sample_size, sample_size) if isinstance(sample_size, int) else sample_size
    resolution = (8 * height, 8 * width)
    return PipelineConfig(
        resolution=resolution,
        conditioning="masked",
        prompt="a photograph of a person wearing a {fabric} jacket, natural light, realistic folds",
        negative_prompt="drawing, render, flat, blurry, deformed",
        keyframe=Recipe(
            scheduler="UniPCMultistepScheduler",
            steps=4,
            strength=0.5,
            guidance_scale=1,
            resolution=resolution,
        ),
        capture=Recipe(
            scheduler="DPMSolverMultistepScheduler",
            steps=25,
            strength=0.6,
            guidance_scale=5,
            resolution=resolution,
        ),
    )


def recipes(checkpoint: Path, sample_size: int | Sequence[int]) -> PipelineConfig:
    """The checkpoint's `pipeline.json`, or the default for its UNet's `sample_size`. Raises ExportError."""

    def default() -> PipelineConfig:
        try:
            return default_config(sample_size)
        except (TypeError, ValueError) as error:
            raise ExportError(
                f"{checkpoint}: its UNet's sample_size is {sample_size!r}, for which there is no default: "
                "write a pipeline.json with a resolution"
            ) from error

    return read_config(checkpoint, default, _SUPPORTED)
