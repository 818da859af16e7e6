"""From a request to the inputs of FASHN VTON's transformer.

The network paints pixels: there is no VAE, and its `latents` are the picture itself. It paints the whole
person anew and needs no mask; `postprocess` keeps what lies outside the region.

    x_t   noisy picture                                        (1, 3, H, W)
    p     person: photo and drawing of the pose                (1, 4, H, W)
    g     garment: photo and drawing of its wearer's pose      (1, 4, H, W)
    c     category: 0 none, 1 tops, 2 bottoms, 3 one-pieces

The guided row sees p, g and c. In the unguided row all three are 0: grey, and not the black of the borders.
"""

import asyncio
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from families.fashn_vton.person import Person, laid_on, prepare_person, to_channels
from families.fashn_vton.pictures import Letterbox, shrunk
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Conditions
from pipeline.denoising.schedule import Schedule
from pipeline.garment.garment_picture import is_given
from pipeline.garment.pictures import decode_pose_image
from pipeline.recipe import ServedConfig
from pipeline.resize import size_of
from pipeline.tensor_cache import TensorCache, Values
from pipeline.tryon.conditioner import Conditioned, Decoding, Start, Task, compressed, has_nothing_to_paint
from pipeline.tryon.garment_source import GarmentSource
from pipeline.tryon.models import HostTensor

_NOBODY = np.zeros(1, np.uint8)
CATEGORIES = ("tops", "bottoms", "one-pieces")  # from 1


class FashnVton:
    """The conditioner of this family."""

    def __init__(self, cache: TensorCache):
        self._cache = cache

    async def condition(self, task: Task) -> Conditioned:
        prepared = await task.preprocess(["drawn"])
        if has_nothing_to_paint(prepared):
            return Conditioned(prepared, None)
        frame, mask, drawn = (prepared[name].as_numpy() for name in ("composite", "mask", "drawn"))
        landmarks, drawing = compressed(task.inputs["pose"]), compressed(task.pose_image)
        resolution = task.request.recipe.resolution

        def work() -> tuple[Person, np.ndarray]:
            own = decode_pose_image(drawing)[..., 0] if is_given(drawing) else None
            person = prepare_person(frame, mask, landmarks, resolution, own)
            return person, laid_on(person.letterbox, person.seen, drawn)

        (person, begun), garment = await asyncio.gather(
            asyncio.to_thread(work), self._garment(task, task.garment(prepared))
        )
        category = json.loads(prepared["report"].as_numpy()[0])["category"]
        latents, conditions = start(
            task.schedule,
            task.noise,
            torch.from_numpy(person.channels)[None],
            garment["garment"],
            1 + CATEGORIES.index(category),
            torch.from_numpy(begun)[None],
        )
        crop = HostTensor(np.array(person.seen, np.int32))
        decoding = Decoding("postprocess", lambda picture: answer(picture, person.letterbox))
        return Conditioned(
            {**prepared, "crop": crop},
            Start(latents, conditions, decoding),
            {"pose_drawing": _pose_drawing(landmarks, drawing)},
        )

    async def _garment(self, task: Task, source: GarmentSource) -> Values:
        resolution = task.request.recipe.resolution
        worn = compressed(task.garment_pose_image) if source.is_photo else _NOBODY

        def work(picture: np.ndarray) -> np.ndarray:
            own = decode_pose_image(worn, "garment_pose_image")[..., 0] if is_given(worn) else None
            return garment_channels(picture, resolution, own)

        async def compute() -> Values:
            channels = await asyncio.to_thread(work, await source.picture())
            return {"garment": torch.from_numpy(channels)[None]}

        key = f"{await source.key()} at {resolution}, {hashlib.sha256(worn.tobytes()).hexdigest()}"
        return await self._cache.get(key, compute)


def garment_channels(
    picture: np.ndarray, resolution: tuple[int, int], drawing: np.ndarray | None = None
) -> np.ndarray:
    """The garment as the network takes it, (4, H, W) float32.

    picture: (h, w, 3) RGB uint8.
    drawing: of its wearer's pose over the picture, (any height, any width) uint8; None for a garment that
        nobody wears, or whose wearer's pose is not known: nothing is drawn.
    """
    photo = shrunk(picture, max(resolution))
    letterbox = Letterbox.of(size_of(photo), resolution[::-1])
    nobody = np.zeros(photo.shape[:2], np.uint8)
    return to_channels(letterbox.lay(photo), letterbox.lay_drawing(nobody if drawing is None else drawing))


def start(
    schedule: Schedule, noise: Noise, person: Tensor, garment: Tensor, category: int, begun: Tensor
) -> tuple[Tensor, Conditions]:
    """The picture before the first step, and the conditions of every step.

    person, garment: p and g. category: c.
    begun: the picture from which a job at less than full strength begins, (1, 3, H, W).
    """
    drawn = noise.draw(begun.shape, begun.device)
    latents = schedule.noised(begun, drawn) if schedule.recipe.strength < 1 else schedule.pure(drawn)
    rows = 2 if schedule.recipe.guided else 1

    def guided(of_row: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(of_row), of_row])[-rows:]

    tensors = {"garment": guided(garment), "category": guided(torch.tensor([[category]], dtype=torch.int32))}
    return latents, Conditions(rows, guided(person), tensors)


def answer(picture: Tensor, letterbox: Letterbox) -> Tensor:
    """The picture without its borders, on the levels of 8 bits: cut, not rounded, as upstream does.

    (1, 3, H, W) → (1, 3, h, w), −1…1.
    """
    levels = (255 * ((picture.clamp(-1, 1) + 1) / 2)).floor()
    return letterbox.cut(levels / 127.5 - 1)


def _pose_drawing(landmarks: np.ndarray, drawing: np.ndarray) -> str:
    """What the drawing of the pose was made from, for the report."""
    if is_given(drawing):
        return "client"
    return "landmarks" if landmarks.any() else "none"


def make_conditioner(config: ServedConfig, folder: Path, cache: TensorCache) -> FashnVton:
    """Of the export it needs nothing but the network."""
    return FashnVton(cache)
