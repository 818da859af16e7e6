"""The pipeline in the real Triton, with its inner tensors: parity, batching, order, cancelling."""

import asyncio
import functools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from tests.families.pictures import psnr
from tests.tryon_client import Tryon, TryonError, keyframe

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "export" / "checkpoints" / "lucy-tiny"
INSIDE = ("image", "report", "composite", "mask", "crop", "latent_mask", "pixels")


@pytest.fixture
async def tryon(either_stack):
    async with Tryon.connect(either_stack.triton_grpc, either_stack.triton_metrics) as client:
        yield client


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("mode", "steps"), [("keyframe", 1), ("capture", 25)])
async def test_the_picture_is_that_of_diffusers_own_pipeline(tryon, mode, steps):
    """Same checkpoint, composite, mask, seed, scheduler and steps: PSNR of 40 dB at least.

    With a prompt, since the light of the picture counts then, which the VAE's decoder makes.
    """
    config = json.loads((CHECKPOINT / "pipeline.json").read_text())
    prompt = config["prompt"].replace("{fabric}", "denim blue")
    answer = await tryon.dress(keyframe("transparent_no_pose"), mode, outputs=INSIDE, prompt=prompt, seed=11)
    assert answer["report"]["steps"] == steps
    recipe, (height, width) = config[mode], config["resolution"]
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(CHECKPOINT, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    end = recipe.get("denoising_end", 1)
    count = next(n for n in range(steps, 1000) if int(int(n * recipe["strength"]) * end) >= steps)
    predicted = predictions(pipeline.scheduler)

    crop = replicated_crop(answer["composite"], answer["crop"], (width, height))
    mask = answer["latent_mask"][0, 0].repeat(8, axis=0).repeat(8, axis=1)
    pixels = torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None].float() / 127.5 - 1
    pipeline(
        prompt,
        negative_prompt=config["negative_prompt"],
        image=crop,
        mask_image=Image.fromarray((mask * 255).astype(np.uint8)),
        masked_image_latents=pixels if config["conditioning"] == "composite" else None,
        height=height,
        width=width,
        num_inference_steps=count,
        strength=recipe["strength"],
        guidance_scale=recipe["guidance_scale"],
        generator=torch.Generator().manual_seed(11),
        output_type="latent",
    )
    with torch.no_grad():
        decoded = pipeline.vae.decode(predicted[steps - 1] / pipeline.vae.config.scaling_factor).sample
    expected = pipeline.image_processor.postprocess(decoded, output_type="np")[0]
    found = (answer["pixels"][0].transpose(1, 2, 0) / 2 + 0.5).clip(0, 1)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    assert psnr(found, expected) >= 40


def predictions(scheduler):
    """A list that gets the z_0 which each of the scheduler's steps predicts; the last is the answer."""
    step, predicted = scheduler.step, []

    @functools.wraps(step)  # callers look at its signature
    def telling(*args, **kwargs):
        result = step(*args, **kwargs)
        predicted.append(result[1])
        return result

    scheduler.step = telling
    return predicted


def replicated_crop(composite, crop, size):
    """The crop as the model sees it, worked out anew with Pillow and OpenCV's border alone."""
    x, y, width, height = crop
    frame_height, frame_width = composite.shape[:2]
    room = max(width, height)
    padded = cv2.copyMakeBorder(composite, room, room, room, room, cv2.BORDER_REPLICATE)
    window = padded[room + y : room + y + height, room + x : room + x + width]
    assert (frame_height, frame_width) == (720, 1280)
    return Image.fromarray(
        cv2.cvtColor(cv2.resize(window, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    )


@pytest.mark.parametrize("name", ["transparent_no_pose", "transparent_off_body", "opaque_over_video"])
async def test_outside_the_garment_a_capture_is_the_camera_frame_bit_for_bit(tryon, name):
    pictures = keyframe(name)
    answer = await tryon.dress(pictures, "capture", outputs=("image", "report", "mask"), steps=2)
    frame = cv2.imdecode(pictures["camera_frame"], cv2.IMREAD_COLOR)
    picture = cv2.imdecode(answer["image"], cv2.IMREAD_COLOR)
    outside = answer["mask"] == 0
    assert 0.3 < outside.mean() < 0.99
    assert np.array_equal(picture[outside], frame[outside])
    assert not np.array_equal(picture[~outside], frame[~outside])


async def test_the_same_seed_gives_the_same_bytes(tryon):
    one, same, other = [
        (await tryon.dress(keyframe("transparent_no_pose"), seed=seed))["image"].tobytes()
        for seed in (5, 5, 6)
    ]
    assert one == same != other


async def test_a_sessions_light_is_steadied_and_no_other(tryon):
    """The person moves by a few pixels: within the session the light moves with them; another session, a
    fabric or a jump begins anew, and what stands still keeps its bytes."""

    async def dress(shift=0.0, **options):
        pictures = keyframe("transparent_off_body")
        pictures["pose"][:, 0] += shift
        return (await tryon.dress(pictures, **options))["image"].tobytes()

    still, moved, jumped = [await dress(shift) for shift in (0, 0.01, 0.2)]
    assert [await dress(session="anna") for _ in range(2)] == [still, still]
    assert await dress(0.01, session="ben") == moved
    steadied = await dress(0.01, session="anna")
    assert steadied != moved
    assert await dress(0.01, session="anna") == steadied
    silk = {"fabric": "red silk"}
    assert await dress(0.01, session="anna", **silk) == await dress(0.01, **silk)
    assert await dress(0.2, session="anna", **silk) == await dress(0.2, **silk)
    assert await dress(0.2, session="ben") == jumped


@pytest.mark.parametrize(
    "option",
    [
        {"steps": 2},
        {"strength": 0.2},
        {"guidance_scale": 7.0},
        {"fabric": "red silk"},
        {"prompt": "dim light"},
    ],
)
async def test_every_option_changes_the_picture(tryon, option):
    plain, changed = [
        (await tryon.dress(keyframe("transparent_no_pose"), outputs=("pixels", "image", "report"), **options))
        for options in ({}, option)
    ]
    assert not np.array_equal(plain["pixels"], changed["pixels"])


async def test_a_capture_reports_every_step_and_then_the_picture(tryon):
    responses = [r async for r in tryon.stream(keyframe("transparent_no_pose"), mode="capture", steps=6)]
    assert [list(r["progress"]) for r in responses[:-1]] == [[n, 6] for n in range(1, 7)]
    assert responses[-1]["image"].tobytes().startswith(b"\x89PNG")


async def test_a_keyframe_is_one_response(tryon):
    """perf_analyzer counts the first response only."""
    assert len([r async for r in tryon.stream(keyframe("transparent_no_pose"), mode="keyframe")]) == 1


async def test_profile_gpu_paints_what_profile_cpu_paints(stack, gpu_stack):
    """The same checkpoint on another runtime, with another sampler arithmetic and pictures in uint8."""
    found = []
    for each in (stack, gpu_stack):
        async with Tryon.connect(each.triton_grpc) as client:
            found.append(await client.dress(keyframe("transparent_off_body"), outputs=INSIDE, seed=3))
    ours, theirs = (cv2.imdecode(it["image"], cv2.IMREAD_COLOR) / 255 for it in found)
    assert psnr(found[0]["pixels"] / 2, found[1]["pixels"] / 2) >= 40
    assert psnr(ours, theirs) >= 40


async def test_keyframes_of_eight_users_share_batches(tryon):
    inferences, executions = await tryon.statistics("unet")
    await asyncio.gather(*(tryon.dress(keyframe("transparent_no_pose"), steps=4) for _ in range(8)))
    now = await tryon.statistics("unet")
    # Profile gpu pads a call to the sizes that have CUDA graphs: 5 rows to 6, and 7 to 8.
    assert 8 * 4 <= now[0] - inferences <= 8 * 4 * 6 / 5
    assert now[1] - executions < 8 * 4


async def test_a_render_without_a_garment_gives_the_frame_back(tryon):
    pictures = keyframe("transparent_no_pose")
    frame = cv2.imdecode(pictures["camera_frame"], cv2.IMREAD_COLOR)
    _, data = cv2.imencode(".png", np.zeros((90, 160, 4), np.uint8))
    before = await tryon.statistics("unet")
    answer = await tryon.dress(
        {"camera_frame": pictures["camera_frame"], "jacket_render": data.reshape(-1)}, output_format="png"
    )
    assert (answer["report"]["mode"], answer["report"]["mode_reason"]) == ("fallback", "no_garment")
    assert np.array_equal(cv2.imdecode(answer["image"], cv2.IMREAD_COLOR), frame)
    assert await tryon.statistics("unet") == before


async def test_no_step_is_the_light_of_the_scene_alone(tryon):
    before = await tryon.statistics("unet")
    answer = await tryon.dress(keyframe("transparent_no_pose"), steps=0)
    assert (answer["report"]["mode"], answer["report"]["steps"]) == ("ai_enhanced", 0)
    assert await tryon.statistics("unet") == before


async def test_closing_the_stream_stops_the_steps_within_two_ticks(tryon):
    before, _ = await tryon.settle()
    seen = 0
    async for response in tryon.stream(keyframe("transparent_no_pose"), mode="capture", steps=50):
        seen = int(response["progress"][0])
        if seen == 3:
            break
    after, _ = await tryon.settle()
    assert seen == 3
    assert after - before <= seen + 2 + 2  # two ticks, and what ran until the cancellation arrived


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"camera_frame": np.frombuffer(b"not a picture", np.uint8)}, "IMAGE_DECODE"),
        ({"jacket_render": np.frombuffer(b"\x89PNG\r\n\x1a\n", np.uint8)}, "IMAGE_DECODE"),
        ({"steps": -1}, "INVALID_INPUT"),
        ({"strength": float("nan")}, "INVALID_INPUT"),
        ({"strength": 1e-30}, "INVALID_INPUT"),
        ({"mode": "photo"}, "INVALID_INPUT"),
        ({"output_format": "gif"}, "INVALID_INPUT"),
        ({"render_fit": "tight"}, "INVALID_INPUT"),
    ],
)
async def test_one_bad_request_fails_alone(tryon, change, code):
    pictures = keyframe("transparent_no_pose")
    options = {name: value for name, value in change.items() if name not in pictures}
    broken = {**pictures, **{name: value for name, value in change.items() if name in pictures}}
    good, bad = await asyncio.gather(
        tryon.dress(pictures), tryon.dress(broken, **options), return_exceptions=True
    )
    assert good["report"]["mode"] == "ai_enhanced"
    assert isinstance(bad, TryonError)
    assert f"{code}: " in str(bad)
