import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from pipeline.recipe import PipelineConfig
from training.lucy_tiny.architecture import (
    TOKENS,
    build_pipeline,
    build_scheduler,
    build_tokenizer,
    write_checkpoint,
)
from training.lucy_tiny.captions import COLOURS, FABRICS, corpus
from training.lucy_tiny.sampling import denoise, embed


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(build_pipeline(seed=0), folder)
    return folder


@pytest.fixture(scope="module")
def pipeline(checkpoint):
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(
        checkpoint, dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_diffusers_samples_from_the_folder(pipeline):
    picture = Image.new("RGB", (256, 256), (90, 60, 30))
    mask = Image.new("L", (256, 256), 255)
    answer = pipeline(
        prompt="a navy denim jacket", image=picture, mask_image=mask, height=256, width=256,
        num_inference_steps=2, strength=1.0, guidance_scale=1.0,
    ).images[0]  # fmt: skip
    assert answer.size == (256, 256)


def test_our_sampling_is_diffusers_own(pipeline):
    """Sheets and figures made by another sampler than the served one would say nothing."""
    generator = torch.Generator().manual_seed(5)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8))
    with torch.no_grad():  # as the trained encoder: no variance, nothing to draw
        pipeline.vae.encoder.conv_out.weight[4:] = 0
        pipeline.vae.encoder.conv_out.bias[4:] = -30
    pixels = pipeline.image_processor.preprocess(picture, height=256, width=256)
    with torch.no_grad():
        conditioning = pipeline.vae.encode(pixels).latent_dist.mean
    mask = torch.zeros(1, 1, 32, 32)  # diffusers blanks what is masked; we condition on all of it
    ours = denoise(
        pipeline.unet, pipeline.scheduler, mask, conditioning,
        embed(pipeline.tokenizer, pipeline.text_encoder, ["a wool jacket"]), 3, 5, denoising_end=1.0,
    )  # fmt: skip
    theirs = pipeline(
        prompt="a wool jacket", image=picture, mask_image=Image.new("L", (256, 256), 0),
        height=256, width=256, num_inference_steps=3, strength=1.0, guidance_scale=1.0, output_type="latent",
        latents=torch.randn(1, 4, 32, 32, generator=generator),
    ).images  # fmt: skip
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_the_folder_says_how_it_is_used(checkpoint):
    use = PipelineConfig.model_validate(json.loads((checkpoint / "pipeline.json").read_text()))
    assert use.conditioning == "composite"
    assert "{fabric}" in use.prompt


def test_the_first_step_starts_from_pure_noise():
    """With any signal left at the last timestep, a model learns to keep the brightness that it sees there."""
    scheduler = build_scheduler()
    scheduler.set_timesteps(4)
    assert scheduler.timesteps.tolist() == [999, 749, 499, 249]
    assert scheduler.alphas_cumprod[-1] < 1e-6


def test_the_untrained_unet_passes_its_conditioning_on(pipeline):
    generator = torch.Generator().manual_seed(0)
    noise, c = torch.randn(2, 2, 4, 32, 32, generator=generator)
    text = embed(pipeline.tokenizer, pipeline.text_encoder, ["a wool jacket", "warm light"])
    with torch.no_grad():
        v = pipeline.unet(torch.cat([noise, torch.ones(2, 1, 32, 32), c], dim=1), 999, text).sample
    torch.testing.assert_close(v, -c, atol=0.05, rtol=0)


def test_each_word_of_the_language_is_one_token():
    tokenizer = build_tokenizer(corpus())
    for word in (*FABRICS, *COLOURS, "left", "warm", "jacket"):
        assert tokenizer.tokenize(word) == [f"{word}</w>"]


def test_the_vocabulary_is_the_same_each_time():
    """A training that goes on in a new process would otherwise read its own captions as other words."""
    one, other = (build_tokenizer(corpus()).backend_tokenizer.to_str() for _ in range(2))
    assert one == other


def test_an_unknown_word_is_spelt_not_lost():
    """As `<|endoftext|>` it would end the prompt before its light."""
    tokenizer = build_tokenizer(corpus())
    tokens = tokenizer("a zebra-Xylophone é jacket", padding="max_length", truncation=True)["input_ids"]
    assert len(tokens) == TOKENS
    assert tokens.index(tokenizer.eos_token_id) > 10
