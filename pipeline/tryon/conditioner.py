"""What a family of checkpoints contributes to serving: from a request to the denoiser's inputs, and back.

The order of a request, which is the same for every family:

1. `Pipeline` makes a `Task` of the request and calls the family's `condition(task)`.
2. The family runs what comes before the first step: `preprocess` (by `task.preprocess(…)`, or within the
   ensemble `encode`), and its encoders, by `task.models(name, inputs, outputs)`. What depends on the garment
   alone it gets from its `TensorCache`, which the registry gave it. It returns a `Conditioned`.
3. `Pipeline` denoises `Conditioned.start` together with all other jobs.
4. `Start.decoding` says how clean latents become pixels; `postprocess` puts them back into the frame.

A family draws all random numbers from `task.noise`, and makes its first latents by `task.schedule.noised` or
`.pure`. It never waits for another request, keeps nothing of one, and knows neither Triton nor the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.garment.garment_picture import WHITE, Colour
from pipeline.tryon.garment_source import GarmentSource
from pipeline.tryon.models import Models, Tensor
from pipeline.tryon.request import TryonRequest

if TYPE_CHECKING:  # the export knows the families by way of this module, and needs torch only if it has work
    import torch

    from pipeline.denoising.noise import Noise
    from pipeline.denoising.sampling import Conditions
    from pipeline.denoising.schedule import Schedule

# The outputs of `preprocess` that every answer needs.
FRAME = ("composite", "mask", "crop", "garment_map", "report")
# Pictures of a request that families alone read.
PICTURES = ("garment_image", "pose_image", "garment_pose_image")


@dataclass(frozen=True)
class Task:
    """One request for a family.

    inputs: the inputs of `preprocess` by name: the request's pictures, its pose, and its choices.
    models: calls a model of the repository for this request.
    schedule: the timesteps that the job will run. noise: its random numbers.
    garment_image: a picture of the garment alone.
    pose_image: a client's own drawing of the person's pose over the whole frame, in the style that the family
        wants.
    garment_pose_image: the same of the person who wears the garment in `garment_image`.

    Pictures are compressed bytes; one byte means that there is none.
    """

    request: TryonRequest
    inputs: Mapping[str, Any]
    models: Models
    schedule: Schedule
    noise: Noise
    garment_image: Any
    pose_image: Any
    garment_pose_image: Any

    async def preprocess(self, outputs: Sequence[str]) -> dict[str, Tensor]:
        """The named outputs of `preprocess`, and those of FRAME."""
        return await self.models("preprocess", self.inputs, tuple(dict.fromkeys((*FRAME, *outputs))))

    def garment(self, prepared: Mapping[str, Tensor], background: Colour = WHITE) -> GarmentSource:
        """The garment's own picture: `garment_image`, or else the render.

        prepared: with the outputs `drawn` and `mask` of `preprocess`.
        background: what is transparent in the picture becomes this colour.
        """
        pictures = {name: compressed(self.inputs[name]) for name in ("jacket_render", "client_mask")}
        drawn = {"composite": prepared["drawn"].as_numpy(), "mask": prepared["mask"].as_numpy()}
        return GarmentSource(compressed(self.garment_image), pictures | drawn, background)


def compressed(picture: Any) -> np.ndarray:
    """One of a request's pictures as compressed bytes, (N,) uint8; one byte means that there is none."""
    return picture if isinstance(picture, np.ndarray) else np.asarray(picture.as_numpy())


def has_nothing_to_paint(prepared: Mapping[str, Tensor]) -> bool:
    """Whether `preprocess` found no garment: then the answer is the frame, and a family need not go on."""
    return json.loads(prepared["report"].as_numpy()[0])["mode_reason"] is not None


@dataclass(frozen=True)
class Decoding:
    """How clean latents become the model's picture.

    model: `decode`, the VAE's decoder and then `postprocess`; or `postprocess`, where the latents are pixels.
    latents: what is done to the latents before, such as cutting a part out of them.
    """

    model: str = "decode"
    latents: Callable[[torch.Tensor], torch.Tensor] = lambda latents: latents

    def inputs(self, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        """The model's picture or latents, under the name that `model` knows."""
        return {"latents" if self.model == "decode" else "pixels": self.latents(latents).contiguous()}


@dataclass(frozen=True)
class Start:
    """Where the denoising of one job begins.

    latents: noisy, (1, C, h, w).
    """

    latents: torch.Tensor
    conditions: Conditions
    decoding: Decoding = Decoding()


@dataclass(frozen=True)
class Conditioned:
    """
    tensors: outputs of `preprocess`, at least those of FRAME, and further ones that a client may ask for.
    start: None if there is nothing to paint, or if the light of the scene is all that is wanted: then the
        tensors have the composite at the networks' resolution, `pixels`.
    report: added to the answer's report, such as what stands in for a missing network.
    """

    tensors: Mapping[str, Tensor]
    start: Start | None
    report: Mapping[str, Any] = field(default_factory=dict)


class Conditioner(Protocol):
    """A family's part of serving. `families.registry` makes it."""

    async def condition(self, task: Task) -> Conditioned:
        """Everything before the first step. Raises InvalidInput if the request lacks what it needs."""
