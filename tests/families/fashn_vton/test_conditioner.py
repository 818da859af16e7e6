"""The whole of a request on plain functions, against the upstream's runs."""

import asyncio
import json

import cv2
import numpy as np
import pytest
import torch

from families.fashn_vton.conditioner import FashnVton, answer, garment_channels, start
from families.fashn_vton.family import DENOISER
from families.fashn_vton.person import prepare_person
from families.fashn_vton.pictures import Letterbox
from families.fashn_vton.stages import describe_stages
from pipeline.denoising.noise import Noise
from pipeline.denoising.sampling import Denoising
from pipeline.denoising.schedule import Schedulers
from pipeline.recipe import Recipe, ServedConfig
from pipeline.tensor_cache import TensorCache
from tests.families.fashn_vton.vectors import (
    RESOLUTION,
    compressed,
    inside,
    job,
    levels,
    load,
    masked_job,
    picture,
    psnr,
    tensors,
)
from tests.families.plain_models import PlainModels, dress, plain_pipeline

SCHEDULER = {"shift": 1.5}
CLOTH = picture("inputs/cloth.png")
CATEGORIES = {"run_steps6_flatlay": "tops", "run_steps4_skip0": "bottoms"}


def recipe(**changes):
    chosen = {"steps": 6, "strength": 1, "guidance_scale": 1.5, "unguided_last_steps": 1, **changes}
    return Recipe(scheduler="ShiftedFlowMatching", resolution=RESOLUTION, unet=DENOISER, **chosen)


RECIPES = {
    "run_steps6_flatlay": recipe(),
    "run_steps6_model_masked": recipe(),
    "run_steps4_skip0": recipe(steps=4, guidance_scale=2.5, unguided_last_steps=0),
}


def served(recipe):
    return ServedConfig(
        resolution=RESOLUTION, conditioning="person", framing="contain", prompt="", keyframe=recipe,
        capture=recipe, family="fashn_vton", max_live=3,
    )  # fmt: skip


@pytest.fixture
def models(network):
    return PlainModels(describe_stages(network, [RESOLUTION]))


@pytest.fixture
def run(models):
    """Runs a request with a recipe."""

    async def run(recipe, pictures, **options):
        config = served(recipe)
        pipeline = plain_pipeline(config, SCHEDULER, FashnVton(TensorCache(1 << 24)), models)
        return await dress(pipeline, config, pictures, **options)

    return run


@pytest.mark.parametrize("name", CATEGORIES)
async def test_a_request_gives_the_upstreams_picture(run, models, name):
    vector, recipe = load(name), RECIPES[name]
    found = await run(recipe, job(), noise=vector["noise"], category=CATEGORIES[name])
    assert found["pixels"].shape[2:] == vector["image"].shape[:2]
    assert psnr(levels(found["pixels"]), vector["image"]) > 60
    rows = [rows for model, rows in models.calls if model == DENOISER]
    guided = recipe.steps - recipe.unguided_last_steps
    assert rows == [2] * guided + [1] * recipe.unguided_last_steps


async def test_a_worn_garment_with_its_wearers_pose_gives_the_upstreams_picture(run):
    """Clothes masked and cut out by the client; the poses are drawings of its own."""
    vector = load("run_steps6_model_masked")
    options = {"noise": vector["noise"], "category": "one-pieces"}
    found, flat = [
        levels((await run(recipe(), pictures, **options))["pixels"])
        for pictures in (
            masked_job(vector),
            masked_job(vector) | {"garment_pose_image": np.zeros(1, np.uint8)},
        )
    ]
    assert psnr(inside(found, vector), vector["image"]) > 60
    assert psnr(inside(flat, vector), vector["image"]) < 50, "the wearer's pose changes nothing"


@torch.no_grad()
@pytest.mark.parametrize("name", RECIPES)
def test_each_step_gives_the_upstreams_state(network, name):
    vector = tensors(name)
    if "ca_images" in vector:
        person = torch.cat([vector["ca_images"], vector["person_poses"]], dim=1)
        garment = torch.cat([vector["garment_images"], vector["garment_poses"]], dim=1)
    else:
        person, garment = person_of_the_runs(), torch.from_numpy(garment_channels(CLOTH, RESOLUTION))[None]
    schedule = Schedulers(SCHEDULER).schedule(RECIPES[name])
    noise = Noise(0, vector["noise"].ravel())
    category = int(vector["garment_categories"][0])
    latents, conditions = start(schedule, noise, person, garment, category, vector["noise"])
    denoising = Denoising(schedule, conditions, latents, noise)
    states = []
    while not denoising.done:
        inputs = denoising.inputs()
        assert denoising.rows_now == len(inputs["garment"])
        inputs |= {name: inputs[name].squeeze(1) for name in ("timestep", "category")}
        denoising.advance(network(**inputs))
        states.append(denoising.latents[0])
    assert (states[0] - vector["first_state"]).abs().max() < 1e-3
    assert (states[-1] - vector["last_state"]).abs().max() < 1e-3
    painted = answer(denoising.latents, Letterbox.of((86, 108), RESOLUTION[::-1]))
    assert psnr(levels(painted.numpy()), vector["image"].numpy()) > 60


def person_of_the_runs():
    frame = picture("inputs/person.png")[..., ::-1]
    anywhere = np.full(frame.shape[:2], 255, np.uint8)
    drawing = picture("inputs/person_pose.png")
    person = prepare_person(frame, anywhere, np.zeros((33, 4)), RESOLUTION, drawing)
    return torch.from_numpy(person.channels)[None]


def test_answers_are_cut_not_rounded():
    """A third of all pixels would differ by one."""
    vector = tensors("run_steps6_flatlay")
    painted = answer(vector["last_state"][None], Letterbox.of((86, 108), RESOLUTION[::-1]))
    assert np.array_equal(levels(painted.numpy()), vector["image"].numpy())


async def test_face_hands_and_background_stay_the_cameras(run):
    """Bit for bit: whatever lies outside the region to paint."""
    frame = picture("inputs/person.png")
    mask = np.zeros(frame.shape[:2], np.uint8)
    mask[90:200, 60:180] = 255
    found = await run(recipe(steps=1), job(client_mask=compressed(mask)), output_format="png")
    painted = cv2.imdecode(found["image"], cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(painted[mask == 0], frame[mask == 0])
    assert not np.array_equal(painted[mask > 0], frame[mask > 0])


async def test_a_render_tells_the_garment_and_the_region(run, models):
    """Without a garment picture it is cut out, and its category is that of the region that it covers."""
    person = picture("inputs/person.png")
    render = np.zeros((*person.shape[:2], 4), np.uint8)
    render[100:200, 60:180] = (30, 90, 160, 255)
    found = await run(
        recipe(steps=1),
        {"camera_frame": compressed(person), "jacket_render": compressed(render)},
    )
    report = json.loads(found["report"][0])
    assert report["mode"] == "ai_enhanced"
    assert report["category"] == "tops"
    assert report["pose_drawing"] == "none"
    assert found["mask"].any()


async def test_the_pose_is_drawn_from_landmarks(run):
    pose = np.zeros((33, 4), np.float32)
    pose[[11, 12, 13, 14, 15, 16, 23, 24]] = [
        (0.7, 0.3, 0, 1), (0.3, 0.3, 0, 1), (0.75, 0.45, 0, 1), (0.25, 0.45, 0, 1),
        (0.75, 0.6, 0, 1), (0.25, 0.6, 0, 1), (0.6, 0.65, 0, 1), (0.4, 0.65, 0, 1),
    ]  # fmt: skip
    pictures = {name: it for name, it in job().items() if name not in ("pose_image", "client_mask")}
    with_pose = await run(recipe(steps=1), pictures | {"pose": pose})
    report = json.loads(with_pose["report"][0])
    assert report["pose_drawing"] == "landmarks"
    assert report["mask_source"] == "pose"
    without = await run(recipe(steps=1), job(pose_image=np.zeros(1, np.uint8)))
    assert not np.array_equal(with_pose["pixels"], without["pixels"])


async def test_a_garment_is_prepared_once(models, monkeypatch):
    prepared = []

    def counted(*arguments):
        prepared.append(arguments)
        return garment_channels(*arguments)

    monkeypatch.setattr("families.fashn_vton.conditioner.garment_channels", counted)
    config = served(recipe(steps=1))
    pipeline = plain_pipeline(config, SCHEDULER, FashnVton(TensorCache(1 << 24)), models)
    first, second = await dress(pipeline, config, job()), await dress(pipeline, config, job())
    assert len(prepared) == 1
    assert np.array_equal(first["pixels"], second["pixels"])
    await dress(pipeline, config, job(garment_image=compressed(CLOTH[::-1])))
    assert len(prepared) == 2


async def test_three_users_with_two_garments_share_batches(models):
    config = served(recipe(steps=3))
    pipeline = plain_pipeline(config, SCHEDULER, FashnVton(TensorCache(1 << 24)), models)
    other = job(garment_image=compressed(CLOTH[::-1]))
    alone = await dress(pipeline, config, other)
    models.calls.clear()
    together = await asyncio.gather(*(dress(pipeline, config, it) for it in (job(), other, job())))
    rows = [rows for model, rows in models.calls if model == DENOISER]
    assert sum(rows) == 3 * 5
    assert max(rows) > 2
    np.testing.assert_allclose(together[1]["pixels"], alone["pixels"], atol=2 / 127.5)


async def test_a_job_at_less_than_full_strength_begins_with_the_drawn_garment(run):
    person = picture("inputs/person.png")
    render = np.zeros((*person.shape[:2], 4), np.uint8)
    render[100:200, 60:180] = (250, 20, 20, 255)
    pictures = {"camera_frame": compressed(person), "jacket_render": compressed(render)}
    weak = await run(recipe(steps=1, strength=0.02), pictures)
    drawn = levels(weak["pixels"])
    assert np.abs(drawn[40:50, 30:45] - np.array([250.0, 20, 20])).mean() < 40


async def test_a_wide_frame_shows_the_person_alone(run):
    """Of a webcam's picture the network sees the upright part around the person."""
    person = picture("inputs/person.png")
    wide = cv2.copyMakeBorder(person, 0, 0, 200, 100, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    mask = np.zeros(wide.shape[:2], np.uint8)
    mask[100:220, 260:380] = 255
    found = await run(
        recipe(steps=1),
        job(camera_frame=compressed(wide), client_mask=compressed(mask), pose_image=np.zeros(1, np.uint8)),
        output_format="png",
    )
    x, y, width, height = found["crop"]
    assert (y, width, height) == (0, 200, 300)
    assert x == 220
    assert found["pixels"].shape == (1, 3, 108, 72)
    painted = cv2.imdecode(found["image"], cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(painted[mask == 0], wide[mask == 0])


async def test_previews_are_made_of_the_pixels(run, caplog):
    """There is no VAE to decode: a preview that fails is only logged."""
    await run(recipe(steps=4), job(), preview_interval=1)
    assert "no preview" not in caplog.text
