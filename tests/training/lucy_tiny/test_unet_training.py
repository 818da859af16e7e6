import numpy as np
import pytest
import torch

from training.lucy_tiny.architecture import build_pipeline
from training.lucy_tiny.shards import Latents
from training.lucy_tiny.unet_training import Training

CPU = torch.device("cpu")
SCALE = np.array([4.5, 2.3, 1.0, 0.9], np.float32)


@pytest.fixture(scope="module")
def latents():
    rng = np.random.default_rng(0)
    return Latents(
        target=rng.standard_normal((4, 4, 32, 32)).astype(np.float16),
        composite=rng.standard_normal((4, 4, 32, 32)).astype(np.float16),
        mask=np.ones((4, 1, 32, 32), np.uint8),
        captions=["a wool jacket", "", "warm light", "a denim jacket"],
    )


def steps(training, count):
    """Run `count` steps, whatever the clock says."""

    def stop(training):
        if training.step == count:
            training.elapsed = training.seconds

    training.run(stop)


@pytest.mark.nightly
def test_a_stopped_run_resumes(latents, tmp_path):
    first = Training(build_pipeline(0), latents, SCALE, 1e6, CPU)
    steps(first, 2)
    first.save(tmp_path / "unet.pt")
    second = Training(build_pipeline(1), latents, SCALE, 1e6, CPU)
    second.load(tmp_path / "unet.pt")
    assert second.step == 2
    assert second.elapsed == first.elapsed
    for kind in ("networks", "average"):
        ours, theirs = getattr(first, kind).state_dict(), getattr(second, kind).state_dict()
        assert all(ours[name].equal(theirs[name]) for name in ours)


@pytest.mark.nightly
def test_both_networks_learn_and_the_average_follows(latents):
    pipeline = build_pipeline(0)
    training = Training(pipeline, latents, SCALE, 1e6, CPU)
    before = {name: value.clone() for name, value in training.networks.state_dict().items()}
    steps(training, 2)
    for name in ("unet.conv_in.weight", "text_encoder.embeddings.token_embedding.weight"):
        name = next(
            key
            for key in before
            if key.startswith(name.split(".")[0]) and key.endswith(name.split(".", 1)[1])
        )
        moved = training.networks.state_dict()[name] - before[name]
        assert moved.abs().max() > 0
        followed = training.average.state_dict()[name] - before[name]
        assert 0 < followed.abs().max() < moved.abs().max() * 1.01


@pytest.mark.nightly
def test_guesses_equal_the_results_of_ddim(latents):
    """A network that is taught states which sampling never comes to learns nothing of its own errors."""
    pipeline = build_pipeline(0)
    unet = pipeline.unet
    torch.nn.init.normal_(unet.conv_out.weight, std=0.02)
    training = Training(pipeline, latents, SCALE, 1e6, CPU)
    noise, c, text = torch.randn(2, 4, 32, 32), torch.randn(2, 4, 32, 32), torch.randn(2, 77, 128)
    m, t = torch.ones(2, 1, 32, 32), torch.full((2,), 998)  # the step between can only be at 998 itself
    training._half = False
    guess, spread = training._sample(noise, t, m, c, text)

    scheduler = pipeline.scheduler
    scheduler.set_timesteps(1000)

    def step(z, timestep):
        with torch.no_grad():
            v = unet(torch.cat([z, m, c], dim=1), timestep, text, return_dict=False)[0]
        return scheduler.step(v, timestep, z)

    first = step(noise, 999)
    second = step(first.prev_sample, 998)
    torch.testing.assert_close(guess[0], first.pred_original_sample[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(spread[0], noise[0])
    torch.testing.assert_close(guess[1], second.pred_original_sample[1], atol=1e-4, rtol=1e-4)
    assert (guess[1] - first.pred_original_sample[1]).abs().max() > 1e-3


def test_attention_in_full_precision_is_attention(latents):
    pipeline = build_pipeline(0)
    sample, text = torch.randn(2, 9, 32, 32), torch.randn(2, 77, 128)
    torch.nn.init.normal_(pipeline.unet.conv_out.weight, std=0.02)

    def predict():
        with torch.no_grad():
            return pipeline.unet(sample, 500, text, return_dict=False)[0]

    before = predict()
    Training(pipeline, latents, SCALE, 1e6, CPU)
    torch.testing.assert_close(predict(), before, atol=1e-5, rtol=1e-4)
