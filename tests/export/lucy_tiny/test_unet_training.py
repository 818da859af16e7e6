import numpy as np
import pytest
import torch

from export.lucy_tiny.architecture import build_pipeline
from export.lucy_tiny.shards import Latents
from export.lucy_tiny.unet_training import Training

CPU = torch.device("cpu")


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


def test_a_stopped_run_goes_on_where_it_was(latents, tmp_path):
    first = Training(build_pipeline(0), latents, 1e6, CPU)
    steps(first, 2)
    first.save(tmp_path / "unet.pt")
    second = Training(build_pipeline(1), latents, 1e6, CPU)
    second.load(tmp_path / "unet.pt")
    assert second.step == 2
    assert second.elapsed == first.elapsed
    for kind in ("networks", "average"):
        ours, theirs = getattr(first, kind).state_dict(), getattr(second, kind).state_dict()
        assert all(ours[name].equal(theirs[name]) for name in ours)


def test_both_networks_learn_and_the_average_follows(latents):
    pipeline = build_pipeline(0)
    training = Training(pipeline, latents, 1e6, CPU)
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
