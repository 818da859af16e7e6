import pytest
import torch

from pipeline.denoising import warm_up as module
from pipeline.denoising.linear_schedules import Recurrences
from pipeline.denoising.schedule import Schedulers
from pipeline.denoising.warm_up import warm_up
from pipeline.recipe import Recipe

RECIPES = [
    Recipe(scheduler="UniPCMultistepScheduler", steps=5, strength=1, guidance_scale=5),
    Recipe(scheduler="LCMScheduler", steps=2, strength=0.5, guidance_scale=1),
]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_every_recipe_runs_to_its_end_on_the_device_of_the_latents(monkeypatch, device):
    """The first request of a GPU waited for the CUDA context, the kernels and cuSOLVER."""
    finished = []

    class Watched(module.Denoising):
        def advance(self, prediction):
            super().advance(prediction)
            if self.done:
                finished.append((self.step, self.latents.device.type))

    monkeypatch.setattr(module, "Denoising", Watched)
    schedulers = Schedulers({"clip_sample": False})
    warm_up(schedulers, Recurrences(schedulers) if device == "meta" else None, RECIPES, device)
    assert finished == [(5, device), (2, device)]
    assert torch.get_default_device().type == "cpu"
