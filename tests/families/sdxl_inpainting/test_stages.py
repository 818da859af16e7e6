import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from families.sdxl_inpainting.stages import TEXT_ENCODER, UNET, describe_stages
from tests import tiny_sdxl


@pytest.fixture(scope="module")
def pipeline():
    return tiny_sdxl.build()


def test_the_embeddings_are_those_of_diffusers_pipeline(pipeline, loaded, stages):
    """Both encoders' layers before the last, side by side, and the second one's projection."""
    prompts = ["flat", "a red jacket"]
    padding = {"padding": "max_length", "max_length": loaded.text.tokens, "truncation": True}
    ids = [torch.tensor(tokenizer(prompts, **padding)["input_ids"]) for tokenizer in loaded.text.tokenizers]
    with torch.no_grad():
        found, found_pooled = stages[TEXT_ENCODER].module(*(it.int() for it in ids))
        prompt, negative, pooled, negative_pooled = pipeline.encode_prompt(
            prompts[1], negative_prompt=prompts[0], do_classifier_free_guidance=True
        )
    assert torch.allclose(found, torch.cat([negative, prompt]), atol=1e-5)
    assert torch.allclose(found_pooled, torch.cat([negative_pooled, pooled]), atol=1e-5)


@pytest.mark.parametrize("force_upcast", [True, False])
def test_a_vae_that_half_precision_breaks_is_exported_in_single(loaded, force_upcast):
    vae = copy.deepcopy(loaded.vae)
    vae.register_to_config(force_upcast=force_upcast)
    described = describe_stages(replace(loaded, vae=vae), [tiny_sdxl.RESOLUTION])
    assert {stage.name for stage in described if stage.precision == "fp32"} == (
        {"vae_encoder", "vae_decoder"} if force_upcast else set()
    )


def test_the_unet_reads_every_input(stages):
    stage = stages[UNET]
    with torch.no_grad():
        base = stage.module(**stage.example)
        for name, tensor in stage.example.items():
            changed = stage.module(**stage.example | {name: tensor * 0.5})
            assert not np.allclose(changed, base, atol=1e-5), f"{name} changes nothing"
