"""The light reader of a checkpoint that has one: a folder `light_reader` beside the pipeline's own networks.

diffusers reads the networks that model_index.json names, and so loads such a checkpoint as any other.
"""

from pathlib import Path

import torch
from torch.nn import functional

from export.errors import ExportError, first_line
from export.stages import Stage
from pipeline.garment.scene import PLANES, SIDE
from pipeline.light.light_reader import INPUT, OUTPUTS, LightReader
from pipeline.recipe import PipelineConfig
from pipeline.tryon.light_reading import LIGHT_READER

WEIGHTS = Path(LIGHT_READER) / "model.safetensors"


def light_stages(checkpoint: Path, config: PipelineConfig) -> list[Stage]:
    """The light reader's stage; none if the checkpoint has no light reader.

    Raises ExportError if a mode takes the scene's light and nothing reads it, or if the weights are not a
    light reader's.
    """
    path = checkpoint / WEIGHTS
    if not path.is_file():
        modes = [mode for mode, recipe in config.modes.items() if recipe.scene_light]
        if modes:
            raise ExportError(f"{checkpoint}: {modes[0]} takes the light of the scene, but {path} is missing")
        return []
    generator = torch.Generator().manual_seed(0)
    # Smooth like a picture: in noise the reader sees no scene, and answers 0 to whatever it is compared with.
    coarse = torch.rand((2, len(PLANES), 6, 6), generator=generator)
    scene = functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    # Its graph is small, and the logarithms of dark pixels need single precision.
    return [Stage(LIGHT_READER, read_weights(path), {INPUT: scene}, OUTPUTS, precision="fp32")]


def read_weights(path: Path) -> LightReader:
    """Raises ExportError."""
    from safetensors.torch import load_file

    network = LightReader()
    try:
        network.load_state_dict({name: weight.float() for name, weight in load_file(path).items()})
    except Exception as error:  # safetensors and torch raise their own errors for a broken file
        raise ExportError(f"{path} does not load as a light reader: {first_line(error)}") from error
    return network.eval()
