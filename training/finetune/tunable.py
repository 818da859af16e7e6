"""A checkpoint with LoRAs in its networks: the stages that the export makes, which is what is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.checkpoint import locate
from families.family import Loaded
from families.registry import tuning as find_tuning
from families.tuning import Tuning
from pipeline.recipe import PipelineConfig
from pipeline.tryon.light_reading import LIGHT_READER
from training.finetune.adapters import add_lora

# A UNet of fewer parameters is trained whole; of a larger one, what its family names.
_SMALL = 50_000_000


class NotTunable(ValueError):
    """Nothing of the checkpoint can be trained."""


@dataclass(frozen=True)
class Choices:
    """
    rank: of the LoRAs. text_encoder: whether it is trained, too.
    half: whether a GPU keeps the frozen weights in bfloat16. checkpointing: whether activations are computed
        twice instead of kept.
    """

    rank: int = 16
    text_encoder: bool = False
    half: bool = False
    checkpointing: bool = False


class Tunable:
    """
    networks: those with LoRAs, by the prefixes of their tensors in the file.
    """

    def __init__(self, path: Path, device: torch.device, choices: Choices):
        located = locate(str(path), {})
        self.family: str = located.family.NAME
        found = find_tuning(self.family)
        loaded = located.load()
        if found is None or loaded.lora is None:
            raise NotTunable(f"{path} is of the family {located.family.TITLE}, which is not trained here")
        self.tuning: Tuning = found
        self.loaded: Loaded = loaded
        self.config: PipelineConfig = loaded.config
        self.digest = located.fingerprint()
        self.device = device
        self._stages = {stage.name: stage.module.to(device) for stage in loaded.stages}
        self._denoiser = self._stages[loaded.config.capture.unet]
        for module in self._stages.values():
            module.eval().requires_grad_(False)
        self.networks = self._with_loras(loaded.lora.networks, choices)

    def _with_loras(self, networks: Mapping[str, Any], choices: Choices) -> dict[str, nn.Module]:
        unet = networks["unet"]
        if choices.half:
            for name, module in self._stages.items():
                if name != LIGHT_READER:  # it is small, and the logarithms of dark pixels need precision
                    module.to(torch.bfloat16)
        if choices.checkpointing:
            unet.enable_gradient_checkpointing()
            unet.train()  # without it diffusers keeps the activations; it has no dropout
        small = sum(it.numel() for it in unet.parameters()) < _SMALL
        add_lora(unet, choices.rank, ".*" if small else self.tuning.TARGETS)
        tuned = {"unet": unet}
        if choices.text_encoder:
            for name in (it for it in networks if it.startswith("text_encoder")):
                add_lora(networks[name], choices.rank, r".*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)")
                tuned[name] = networks[name]
        if LIGHT_READER in networks:
            add_lora(networks[LIGHT_READER], choices.rank)
            tuned[LIGHT_READER] = networks[LIGHT_READER]
        return tuned

    @property
    def light_reader(self) -> Any:
        """None if the checkpoint has none."""
        return self._stages.get(LIGHT_READER)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) in −1…1 → the means of their latents."""
        mean: Tensor = self._stages["vae_encoder"](pixels.to(self.device))[0]
        return mean.float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        pixels: Tensor = self._stages["vae_decoder"](latents)
        return pixels.float()

    def tokens(self, captions: Sequence[str]) -> dict[str, Tensor]:
        found = self.tuning.tokens(self.loaded, captions)
        return {name: it.to(self.device) for name, it in found.items()}

    def conditions(self, tokens: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
        """The denoiser's inputs of captions' tokens, with gradients where the text encoder has LoRAs."""
        embedded: dict[str, Tensor] = {}
        if self.tuning.TEXT_STAGE:
            names = ("prompt_embeds", "pooled_embeds")
            answer = self._stages[self.tuning.TEXT_STAGE](*tokens.values())
            answers = answer if isinstance(answer, tuple) else (answer,)
            embedded = dict(zip(names, answers, strict=False))
        return dict(self.tuning.conditions(embedded, rows, self.config.capture.resolution))

    def predict(self, sample: Tensor, timestep: Tensor, conditions: Mapping[str, Tensor]) -> Tensor:
        output: Tensor = self._denoiser(sample, timestep, *conditions.values())
        return output.float()
