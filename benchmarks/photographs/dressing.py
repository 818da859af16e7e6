"""Answers to a scene: through the real server, or with the checkpoint's networks in this process."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.photographs.scene import Scene

OUTPUTS = ("image", "report", "mask")


@dataclass(frozen=True)
class Answer:
    """picture: (H, W, 3) BGR uint8. mask: (H, W) uint8. report: the answer's."""

    picture: np.ndarray
    mask: np.ndarray
    report: dict[str, Any]


# A scene and the options of a request: its mode, a session.
Dress = Callable[..., Coroutine[Any, Any, Answer]]


@asynccontextmanager
async def through_the_server(triton_grpc: str | None) -> AsyncIterator[Dress]:
    """triton_grpc: of a running server; None starts a stack."""
    from benchmarks.stack import ready_stack
    from tests.tryon_client import Tryon

    with ready_stack(triton_grpc=triton_grpc) as stack:
        async with Tryon.connect(stack.triton_grpc) as tryon:

            async def dress(scene: Scene, mode: str = "keyframe", **options: Any) -> Answer:
                answer = await tryon.dress(
                    _pictures(scene), mode, outputs=OUTPUTS, output_format="png", **options
                )
                return _answer(answer["image"], answer["mask"], answer["report"])

            yield dress


@asynccontextmanager
async def in_this_process(checkpoint: Path) -> AsyncIterator[Dress]:
    """Without export and server: seconds to start, and what Triton does not change."""
    import json

    from families.registry import make_conditioner, recognise
    from pipeline.recipe import ServedConfig
    from pipeline.tensor_cache import TensorCache
    from tests.families import plain_models

    family = recognise(checkpoint)
    assert family is not None, f"{checkpoint} is no checkpoint"
    loaded = await asyncio.to_thread(family.load, checkpoint)
    config = ServedConfig(
        **loaded.config.model_dump(), family=family.NAME, settings=dict(loaded.settings), max_live=3
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in loaded.files.items():
            (folder / file).write_bytes(content)
        conditioner = make_conditioner(config, folder, TensorCache(1 << 20))
        models = plain_models.PlainModels(loaded.stages)
        pipeline = plain_models.plain_pipeline(config, loaded.scheduler_config, conditioner, models)

        async def dress(scene: Scene, mode: str = "keyframe", **options: Any) -> Answer:
            chosen = {"mode": mode, "output_format": "png", **options}
            answer = await plain_models.dress(pipeline, config, _pictures(scene), **chosen)
            return _answer(answer["image"], answer["mask"], json.loads(answer["report"][0]))

        yield dress


def _pictures(scene: Scene) -> dict[str, np.ndarray]:
    return {"camera_frame": scene.camera_frame, "jacket_render": scene.jacket_render, "pose": scene.pose}


def _answer(image: np.ndarray, mask: np.ndarray, report: dict[str, Any]) -> Answer:
    return Answer(cv2.imdecode(image, cv2.IMREAD_COLOR), mask, report)
