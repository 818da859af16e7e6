"""What the pipeline does otherwise where tensors lie on a GPU; the fakes' tensors lie in main memory."""

import asyncio

import numpy as np

from pipeline.denoising.linear_schedules import Recurrences
from pipeline.tryon.request import TryonRequest
from tests.pipeline.tryon.fakes import PICTURES, RECIPE, Client, Models, make_pipeline


def decoded_latents(folder, monkeypatch, device):
    """The latents that a keyframe's and a guided capture's decoder get, and the recipes with read factors."""
    asked = []
    derive_beside = Recurrences.derive_beside
    models = Models()
    capture = RECIPE | {"scheduler": "UniPCMultistepScheduler", "guidance_scale": 5.0, "steps": 6}
    pipeline, recipes = make_pipeline(folder, models, capture=capture, device=device)

    async def noted(recurrences, recipe):
        asked.append(recipe.steps)
        return await derive_beside(recurrences, recipe)

    async def run():
        await asyncio.gather(
            *(
                pipeline.run(TryonRequest.read({"mode": mode, "seed": 5}.get, recipes), PICTURES, Client())
                for mode in ("keyframe", "capture")
            )
        )

    with monkeypatch.context() as patch:
        patch.setattr(Recurrences, "derive_beside", noted)
        asyncio.run(asyncio.wait_for(run(), 20))
    latents = [np.asarray(inputs["latents"]) for inputs in models.inputs_of("decode")]
    return sorted(latents, key=lambda it: float(it.std())), asked


def test_jobs_advance_together_and_end_where_their_samplers_would(tmp_path, monkeypatch):
    alone, none = decoded_latents(tmp_path, monkeypatch, "cpu")
    together, asked = decoded_latents(tmp_path, monkeypatch, "cuda")
    assert none == [], "on a CPU the samplers' own arithmetic keeps the bytes"
    assert sorted(asked) == [3, 6]
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
