"""The whole of a request on plain functions, against upstream's runs."""

import asyncio
import json

import cv2
import numpy as np
import pytest
import torch

from families.catvton.conditioner import CatVton, start
from families.catvton.family import UNET
from pipeline.denoising.noise import Noise
from pipeline.denoising.schedule import Schedulers
from pipeline.recipe import Recipe, ServedConfig
from pipeline.tensor_cache import TensorCache
from pipeline.tryon.garments import read_garments
from tests.families.catvton.vectors import (
    GUIDANCE,
    RESOLUTION,
    RUNS,
    job,
    load,
    noise,
    picture,
    png,
    psnr,
    rgb,
)
from tests.families.plain_models import PlainModels, dress, plain_pipeline


def served(**changes):
    recipe = Recipe(
        scheduler="DDIMScheduler",
        resolution=RESOLUTION,
        unet=UNET,
        **{"steps": 4, "eta": 0, "guidance_scale": GUIDANCE, "strength": 1, **changes},
    )
    return ServedConfig(
        resolution=RESOLUTION,
        conditioning="person",
        framing="cover",
        prompt="",
        keyframe=recipe,
        capture=recipe,
        family="catvton",
        max_live=3,
    )


@pytest.fixture
def models(stages):
    return PlainModels(stages.values())


def pipeline_of(config, models, scheduler_config, cache_bytes=1 << 24):
    return plain_pipeline(config, scheduler_config, CatVton(TensorCache(cache_bytes)), models)


@pytest.mark.nightly
@pytest.mark.parametrize(("steps", "eta"), RUNS)
async def test_a_run_is_upstreams(models, scheduler_config, steps, eta):
    """Same pictures and noise: the same mask, the same latents to 1e-3, the same picture to 60 dB."""
    run = load(f"run_steps{steps}_eta{eta}")
    config = served(steps=steps, eta=eta)
    pipeline = pipeline_of(config, models, scheduler_config)
    answer = await dress(pipeline, config, job(), noise(run))
    height = RESOLUTION[0] // 8
    assert np.array_equal(answer["latent_mask"], run["mask_latent"][:1, :, :height])
    found = models.decoded
    assert np.abs(found - run["latents"][-1][:, :, :height]).max() < 1e-3
    assert psnr(rgb(answer["pixels"]), run["image"]) >= 60


@pytest.mark.nightly
async def test_a_garments_latents_are_computed_once(models, scheduler_config):
    """The second job of a garment encodes its person alone, and its picture is the same."""
    config = served(steps=1)
    pipeline = pipeline_of(config, models, scheduler_config)
    answers = [await dress(pipeline, config, job()) for _ in range(2)]
    assert [name for name, _ in models.calls].count("vae_encoder") == 3
    assert answers[0]["image"].tobytes() == answers[1]["image"].tobytes()
    other = job() | {"garment_image": png(picture("inputs/cloth.png")[::-1])}
    answer = await dress(pipeline, config, other)
    assert [name for name, _ in models.calls].count("vae_encoder") == 5
    assert answer["image"].tobytes() != answers[0]["image"].tobytes()


@pytest.mark.nightly
async def test_the_garments_of_three_users_share_a_batch(models, scheduler_config):
    config = served(steps=3)
    pipeline = pipeline_of(config, models, scheduler_config)
    mirrored = job() | {"garment_image": png(picture("inputs/cloth.png")[::-1])}
    alone = await dress(pipeline, config, mirrored)
    models.calls.clear()
    answers = await asyncio.gather(*(dress(pipeline, config, it) for it in (job(), mirrored, job())))
    rows = [rows for name, rows in models.calls if name == UNET]
    assert sum(rows) == 3 * 3 * 2
    assert max(rows) > 2
    assert psnr(rgb(answers[1]["pixels"]), rgb(alone["pixels"])) > 60


async def test_without_guidance_there_is_one_row(models, scheduler_config):
    config = served(steps=1, guidance_scale=1)
    await dress(pipeline_of(config, models, scheduler_config), config, job())
    assert (UNET, 1) in models.calls


async def test_outside_the_mask_the_answer_is_the_frame(models, scheduler_config):
    """Upstream's repaint, in which its blurred mask mixes the edges, is our paste-back, which does not."""
    config = served(steps=1)
    answer = await dress(pipeline_of(config, models, scheduler_config), config, job())
    picture = cv2.cvtColor(cv2.imdecode(answer["image"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    frame, outside = load("preprocess")["image"], answer["mask"] == 0
    assert np.array_equal(picture[outside], frame[outside])
    assert not np.array_equal(picture[~outside], frame[~outside])


@pytest.mark.nightly
async def test_at_a_lower_strength_the_frame_shines_through(models, scheduler_config):
    answers = []
    for strength in (0.02, 1):
        config = served(steps=1, strength=strength)
        answers.append(await dress(pipeline_of(config, models, scheduler_config), config, job()))
    clean = models_vae(models, load("preprocess")["image"])
    errors = [np.abs(answer["pixels"] - clean).mean() for answer in answers]
    assert errors[0] < errors[1] / 2


def models_vae(models, picture):
    """The picture through the VAE."""
    pixels = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / 127.5 - 1
    mean = models.run("vae_encoder", {"pixels": pixels})["latent_mean"]
    return models.run("vae_decoder", {"latents": mean})["pixels"]


def test_the_unguided_row_sees_the_person_and_no_garment(scheduler_config):
    """Zero latents, and a garment's half that nothing covers."""
    schedule = Schedulers(scheduler_config).schedule(served().capture)
    person, garment = (
        {"latent_mean": torch.full((1, 4, 2, 3), value), "latent_std": torch.zeros(1, 4, 2, 3)}
        for value in (1.0, 2.0)
    )
    latents, conditions = start(schedule, Noise(0), person, garment, torch.ones(1, 1, 2, 3))
    assert latents.shape == (1, 4, 4, 3)
    mask, seen = conditions.channels[:, :1], conditions.channels[:, 1:]
    assert mask[:, :, :2].eq(1).all()
    assert mask[:, :, 2:].eq(0).all()
    assert seen[:, :, :2].eq(1).all()
    assert seen[0, :, 2:].eq(0).all()
    assert seen[1, :, 2:].eq(2).all()


@pytest.mark.nightly
async def test_two_garments_are_painted_one_after_the_other(models, scheduler_config):
    """The second on the picture of the first, as two requests would do it."""
    config = served(steps=2)
    pipeline = pipeline_of(config, models, scheduler_config)
    one, other = job()["garment_image"], png(picture("inputs/cloth.png")[::-1, ::-1].copy())
    first = await dress(pipeline, config, job() | {"garment_image": one}, seed=3)
    second = await dress(
        pipeline, config, job() | {"camera_frame": first["image"], "garment_image": other}, seed=3
    )
    described = json.dumps([{"layer": 1, "photo": len(other)}, {"layer": 0, "photo": len(one)}])
    garments = read_garments(described, np.concatenate([other, one]))
    request = {name: it for name, it in job().items() if name != "garment_image"}
    both = await dress(pipeline, config, request, garments=garments, seed=3)
    assert np.array_equal(both["image"], second["image"])
    assert not np.array_equal(both["image"], first["image"])
    report = json.loads(both["report"][0])
    assert [it["painted"] for it in report["garments"]] == [True, True]
    assert [it["hidden_by"] for it in report["garments"]] == [[], [0]]
