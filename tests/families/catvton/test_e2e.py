"""CatVTON through the real Triton, against upstream's pictures."""

import asyncio

import numpy as np
import pytest

from families.catvton.family import UNET
from tests.families.catvton.vectors import RUNS, job, load, noise, picture, png, psnr, rgb

pytestmark = pytest.mark.timeout(900)  # the export takes minutes on a busy machine

MODES = {0: "keyframe", 1: "capture"}  # by their eta, as the fixture's pipeline.json has it


@pytest.mark.parametrize(("steps", "eta"), RUNS)
async def test_the_picture_is_upstreams(tryon, steps, eta):
    run = load(f"run_steps{steps}_eta{eta}")
    answer = await tryon.dress(
        job() | {"noise": noise(run)}, MODES[eta], outputs=("image", "report", "pixels"), steps=steps
    )
    assert answer["report"]["steps"] == steps
    assert psnr(rgb(answer["pixels"]), run["image"]) >= 40


async def test_two_garments_and_three_users_share_batches_and_encode_each_garment_once(tryon):
    """A cached garment's next picture does no garment work."""
    mirrored = job() | {"garment_image": png(picture("inputs/cloth.png")[::-1, ::-1].copy())}
    before_rows, before_calls = await tryon.settle(UNET)
    encoded, _ = await tryon.statistics("vae_encoder")
    options = {"mode": "capture", "steps": 6, "outputs": ("image", "report", "pixels")}
    answers = await asyncio.gather(*(tryon.dress(it, **options) for it in (job(), mirrored, mirrored)))
    rows, calls = await tryon.settle(UNET)
    assert rows - before_rows == 3 * 6 * 2
    assert calls - before_calls < 3 * 6
    # Three persons, and at most two garments: other tests have shown the one before.
    assert (await tryon.statistics("vae_encoder"))[0] - encoded <= 3 + 2
    first, second, same = (answer["pixels"] for answer in answers)
    assert np.abs(second - same).max() < 1e-3
    assert np.abs(first - second).max() > 0.1
    encoded, _ = await tryon.statistics("vae_encoder")
    await tryon.dress(mirrored, **options)
    assert (await tryon.statistics("vae_encoder"))[0] - encoded == 1
