import copy

import pytest
import torch

from training.lucy_tiny.architecture import build_pipeline
from training.lucy_tiny.text_training import learn_captions, mean_inside


def test_the_mean_is_that_of_the_mask():
    latents = torch.arange(8.0).reshape(1, 2, 2, 2)
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    assert mean_inside(latents, mask).tolist() == [[1.5, 5.5]]
    assert mean_inside(latents, 0 * mask).tolist() == [[0.0, 0.0]]


@pytest.mark.nightly
def test_both_modules_learn_the_meaning_of_captions():
    """Left as they were, the UNet would begin with embeddings that say nothing."""
    pipeline = build_pipeline(0)
    captions = ["a wool jacket, dim light from above", "a wool jacket, bright light from above"]
    ids = pipeline.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    composite = torch.zeros(2, 4, 8, 8)
    target = torch.stack([torch.full((4, 8, 8), level) for level in (-1.0, 1.0)])
    modules = pipeline.text_encoder, pipeline.unet.add_embedding
    before = [copy.deepcopy(module.state_dict()) for module in modules]
    unexplained = learn_captions(
        *modules,
        ids,
        target,
        composite,
        torch.ones(2, 1, 8, 8),
        torch.Generator().manual_seed(0),
        steps=150,
        batch=8,
    )
    assert unexplained < 0.2
    for module, old in zip(modules, before, strict=True):
        assert any(not value.equal(old[name]) for name, value in module.state_dict().items())
