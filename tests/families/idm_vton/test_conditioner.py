"""The whole of a request on plain functions, against upstream's runs."""

import asyncio
import json

import numpy as np
import pytest

from families.idm_vton.conditioner import make_conditioner
from families.idm_vton.stages import GARMENT_NET, IMAGE_ENCODER, TEXT_ENCODER, UNET
from pipeline.recipe import Recipe, ServedConfig
from pipeline.tensor_cache import TensorCache
from tests.families.idm_vton.vectors import (
    GARMENT,
    RESOLUTION,
    RUNS,
    STEPS,
    job,
    load,
    noise,
    picture,
    png,
    psnr,
    rgb,
    squeezed,
)
from tests.families.plain_models import PlainModels, dress, plain_pipeline


@pytest.fixture(scope="module")
def folder(loaded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tryon")
    for name, content in loaded.files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def models(stages):
    return PlainModels(stages.values())


@pytest.fixture
def set_up(loaded, folder, models):
    """Makes a pipeline and its configuration."""

    def make(feature_cache_mb=64, **changes):
        recipe = Recipe.model_validate(
            loaded.config.capture.model_dump() | {"steps": STEPS, "resolution": RESOLUTION} | changes
        )
        values = loaded.config.model_dump() | {
            "resolution": RESOLUTION,
            "keyframe": recipe,
            "capture": recipe,
            "family": "idm_vton",
            "settings": {**loaded.settings, "feature_cache_mb": feature_cache_mb},
            "max_live": 3,
        }
        config = ServedConfig.model_validate(values)
        conditioner = make_conditioner(config, folder, TensorCache(1 << 24))
        return plain_pipeline(config, dict(loaded.scheduler_config), conditioner, models), config

    return make


def count(models, name):
    return [called for called, _ in models.calls].count(name)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "guidance"), RUNS.items())
async def test_a_run_is_upstreams(set_up, models, name, guidance):
    """Same pictures, words and noise: the same latents to 1e-3, the same picture to 60 dB."""
    run = load(name)
    pipeline, config = set_up(guidance_scale=guidance)
    answer = await dress(pipeline, config, job(), noise(run), prompt=GARMENT)
    assert np.array_equal(answer["latent_mask"], run["mask_latent"])
    assert np.abs(models.decoded - run["latents"]).max() < 1e-3
    assert psnr(rgb(answer["pixels"]), run["image"]) >= 60
    assert (UNET, 2 if guidance > 1 else 1) in models.calls


@pytest.mark.nightly
async def test_a_garment_is_computed_once(set_up, models):
    """The second job of a garment encodes its person alone, whatever its seed."""
    pipeline, config = set_up()
    first = await dress(pipeline, config, job(), seed=1)
    assert count(models, GARMENT_NET) == STEPS
    models.calls.clear()
    again = await dress(pipeline, config, job(), seed=1)
    assert first["image"].tobytes() == again["image"].tobytes()
    assert not {GARMENT_NET, IMAGE_ENCODER} & {name for name, _ in models.calls}
    assert count(models, "vae_encoder") == 1
    models.calls.clear()
    other_seed = await dress(pipeline, config, job(), seed=2)
    assert other_seed["image"].tobytes() != first["image"].tobytes()
    assert count(models, GARMENT_NET) == 0


@pytest.mark.nightly
@pytest.mark.parametrize("change", ["another garment", "other words", "other steps"])
async def test_what_the_features_depend_on_computes_them_anew(set_up, models, change):
    pipeline, config = set_up()
    await dress(pipeline, config, job(), prompt="a vest")
    models.calls.clear()
    mirrored = job() | {"garment_image": png(picture("cloth")[::-1])}
    pictures = mirrored if change == "another garment" else job()
    options = {
        "prompt": "a coat" if change == "other words" else "a vest",
        "steps": 3 if change == "other steps" else STEPS,
    }
    await dress(pipeline, config, pictures, **options)
    # The last timestep of every schedule is the same.
    assert count(models, GARMENT_NET) == (2 if change == "other steps" else options["steps"])


@pytest.mark.nightly
async def test_features_that_have_no_room_are_computed_in_each_step(set_up, models):
    """Keeping a part of a schedule would push out what is needed next. The pictures are the same."""
    pipeline, config = set_up()
    kept = await dress(pipeline, config, job())
    pipeline, config = set_up(feature_cache_mb=0)
    models.calls.clear()
    answers = [await dress(pipeline, config, job()) for _ in range(2)]
    assert count(models, GARMENT_NET) == 2 * STEPS
    assert count(models, IMAGE_ENCODER) == 1
    assert {it["image"].tobytes() for it in answers} == {kept["image"].tobytes()}


@pytest.mark.nightly
async def test_the_garments_of_three_users_share_a_batch(set_up, models):
    pipeline, config = set_up(steps=3)
    mirrored = job() | {"garment_image": png(picture("cloth")[::-1])}
    alone = await dress(pipeline, config, mirrored)
    models.calls.clear()
    answers = await asyncio.gather(*(dress(pipeline, config, it) for it in (job(), mirrored, job())))
    rows = [rows for name, rows in models.calls if name == UNET]
    assert sum(rows) == 3 * 3 * 2
    assert max(rows) > 2
    assert psnr(rgb(answers[1]["pixels"]), rgb(alone["pixels"])) > 60
    assert count(models, GARMENT_NET) == 3  # one garment was known, and two users have the other


async def test_the_pose_is_drawn_where_the_client_sends_no_body_parts(set_up):
    pipeline, config = set_up(steps=1)
    pose = np.zeros((33, 4), np.float32)
    pose[:, 3] = 0.99
    pose[[11, 12, 23, 24], :2] = [[0.62, 0.3], [0.38, 0.3], [0.57, 0.7], [0.43, 0.7]]
    without = {name: it for name, it in job().items() if name != "pose_image"}
    reports = {
        told: json.loads((await dress(pipeline, config, pictures))["report"][0])["pose_drawing"]
        for told, pictures in {
            "client": job(),
            "landmarks": without | {"pose": pose},
            "none": without,
        }.items()
    }
    assert reports == {name: name for name in reports}


async def test_nothing_is_computed_where_nothing_is_to_paint(set_up, models):
    pipeline, config = set_up()
    nothing = job() | {"client_mask": png(np.zeros((8, 8), np.uint8))}
    answer = await dress(pipeline, config, nothing)
    assert json.loads(answer["report"][0])["mode"] == "fallback"
    assert {name for name, _ in models.calls} == {"preprocess", "postprocess"}


async def test_at_a_lower_strength_the_frame_shines_through(set_up, models):
    answers = []
    for strength in (0.02, 1):
        pipeline, config = set_up(steps=1, strength=strength)
        answers.append(await dress(pipeline, config, job()))
    frame = frame_through_the_vae(models)
    errors = [np.abs(answer["pixels"] - frame).mean() for answer in answers]
    assert errors[0] < errors[1] / 2


def frame_through_the_vae(models):
    """The frame through the VAE."""
    pixels = np.ascontiguousarray(squeezed("person").transpose(2, 0, 1)[None], np.float32) / 127.5 - 1
    mean = models.run("vae_encoder", {"pixels": pixels})["latent_mean"]
    return models.run("vae_decoder", {"latents": mean})["pixels"]


async def test_the_words_change_the_picture(set_up, models):
    pipeline, config = set_up(steps=1)
    answers = [await dress(pipeline, config, job(), prompt=words) for words in ("a vest", "a coat")]
    assert answers[0]["image"].tobytes() != answers[1]["image"].tobytes()
    assert (TEXT_ENCODER, 3) in models.calls


def test_the_sampler_takes_its_noise(loaded):
    """DDPM draws by itself; DDIM with eta 1 computes the same and can be given the values."""
    assert loaded.scheduler_config["_class_name"] == "DDIMScheduler"
    assert loaded.scheduler_config["set_alpha_to_one"]
    assert loaded.scheduler_config["rescale_betas_zero_snr"]
