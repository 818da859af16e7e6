"""What a family of checkpoints is for the export.

Each family's folder has a module `family` with the names of `Family`; `registry.py` finds it. For serving it
has a module `conditioner` with a function `make_conditioner` (pipeline.tryon.conditioner).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.recipe import PipelineConfig

if TYPE_CHECKING:  # imports torch, which takes seconds
    import torch

    from export.stages import Stage


@dataclass(frozen=True)
class Licence:
    """Of the weights.

    commercial: whether they may be used for commerce; None: each checkpoint of the family has its own.
    note: one sentence for whoever exports.
    """

    name: str
    commercial: bool | None
    note: str


@dataclass(frozen=True)
class LoraTarget:
    """The network that LoRAs are fused into.

    network: diffusers' own module. stage: makes the denoiser's stage of a network like it.
    others: the further networks that a LoRA of training.finetune may change, by the prefix of their tensors.
        Like `network`, they are the very modules of the checkpoint's stages.
    """

    network: Any
    stage: Callable[[Any], "Stage"]
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def networks(self) -> dict[str, Any]:
        """All of them by their prefixes."""
        return {"unet": self.network, **self.others}


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory, ready to be exported.

    config: its `pipeline.json`, or the family's default; each mode's `unet` names the stage that denoises.
    stages: in the order of the export. An iterator may load each network when its turn comes, so that two of
        10 GB are never in memory together; the export takes each once and lets go of it.
    stage_names: of all of them.
    scheduler_config: from which `tryon` makes its samplers.
    files: further files that `tryon` needs, by name: a tokenizer.json, for example.
    settings: of the family, for its conditioner.
    stand_ins: what takes the place of something that is missing, one sentence each.
    lora: None if the export cannot fuse LoRAs into this family.
    """

    config: PipelineConfig
    stages: Iterable["Stage"]
    stage_names: Sequence[str]
    scheduler_config: Mapping[str, Any]
    licence: Licence
    files: Mapping[str, bytes] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    stand_ins: Sequence[str] = ()
    lora: LoraTarget | None = None


class Family(Protocol):
    """A module with these names. Importing it must not import torch."""

    NAME: str  # of its folder
    # Optional: BESIDE, the names of files that may come with a checkpoint; `check` and `load` get those that
    # are given as arguments of these names.
    TITLE: str  # for people, such as "Stable Diffusion inpainting"

    def recognise(self, path: Path) -> bool:
        """Whether this folder or file is of the family, from names, JSON and tensors' shapes alone."""

    def claims(self, names: Collection[str]) -> bool:
        """Whether a repository on the hub with files of these names is of the family, as far as they tell."""

    def download(self, hub_id: str) -> Path:
        """The repository's folder with every file that the family needs. Raises ExportError.

        hub_id: with a version behind a colon, for a family whose repositories have several.
        """

    def check(self, path: Path) -> Sequence[Path]:
        """Every file that decides what is exported. Raises ExportError, in one sentence that names the family
        and the file, for a checkpoint that cannot be exported."""

    def load(self, path: Path) -> Loaded:
        """The networks, in single precision and `eval`. Raises ExportError."""


class FullSize(Protocol):
    """A family's module `full_size`, if it has one: its networks at their real size with random weights.

    STAGES: each stage's parameters in millions. A module may also have IN_SINGLE, for stages that have fewer
    layers in single precision, where all of them need more memory than there is.
    """

    STAGES: Mapping[str, int]

    def describe_stage(self, name: str, dtype: "torch.dtype") -> "Stage": ...
