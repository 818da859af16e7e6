"""The order of the stages and what one request's fault does to others, with fake models."""

import asyncio

import numpy as np
import pytest

from pipeline.denoising.stepper import Cancelled
from pipeline.tryon.pipeline import Limits
from pipeline.tryon.request import TryonRequest
from tests.pipeline.tryon.fakes import PICTURES, RECIPE, Client, Models, make_pipeline, report_of


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


async def test_the_stages_are_called_in_their_order(start):
    models = Models()
    answer = await start(models)(seed=5)
    assert models.names == ["encode", "text_encoder", "unet", "unet", "unet", "decode"]
    assert {request_id for name, _, request_id in models.calls if name != "unet"} == {"a request"}
    assert answer["image"].tobytes() == b"decoded"
    report = report_of(answer)
    assert {name: report[name] for name in ("mode", "mode_reason", "seed", "steps", "mask_source")} == {
        "mode": "ai_enhanced",
        "mode_reason": None,
        "seed": 5,
        "steps": 3,
        "mask_source": "alpha",
    }
    assert set(report["latency_ms"]) == {"preprocess", "denoise", "postprocess", "total"}


async def test_each_stage_gets_the_requests_options(start):
    models = Models()
    recipe = RECIPE | {"relight_sigma": 3.0, "detail_gain": 1.5}
    await start(models, keyframe=recipe, conditioning="masked")(
        render_fit="cover", fabric="red", output_format="png"
    )
    [encode] = models.inputs_of("encode")
    assert encode["render_fit"].tolist() == ["cover"]
    assert encode["resolution"].tolist() == [64, 64]
    assert encode["conditioning"].tolist() == ["masked"]
    assert encode["camera_frame"] is PICTURES["camera_frame"], "a picture is not copied"
    [decode] = models.inputs_of("decode")
    assert decode["relight_sigma"].tolist() == [3.0]
    assert decode["detail_gain"].tolist() == [1.5]
    assert decode["output_format"].tolist() == ["png"]


async def test_a_guided_capture_has_two_rows_and_reports_its_steps(start):
    models, client = Models(), Client()
    answer = await start(models)("capture", client)
    assert [len(inputs["sample"]) for inputs in models.inputs_of("unet")] == [2] * 6
    assert client.told == [(step, 6, None) for step in range(1, 7)]
    assert report_of(answer)["steps"] == 6


async def test_requests_share_calls_of_the_unet(start):
    models = Models()
    run = start(models, max_live=4)
    await asyncio.gather(*(run() for _ in range(4)))
    assert sum(len(inputs["sample"]) for inputs in models.inputs_of("unet")) == 4 * 3
    assert len(models.inputs_of("unet")) < 4 * 3


async def test_modes_of_different_unets_are_called_apart(start):
    models = Models()
    run = start(models, keyframe=RECIPE | {"unet": "unet_fast"})
    await asyncio.gather(run(), run("capture"))
    assert len(models.inputs_of("unet_fast")) == 3
    assert len(models.inputs_of("unet")) == 6


@pytest.mark.parametrize("reason", ["no_garment", "unusable_render"])
async def test_without_a_garment_the_composite_is_the_answer(start, reason):
    models = Models(reason)
    answer = await start(models)()
    assert models.names == ["encode", "text_encoder", "postprocess"]
    assert answer["image"].tobytes() == b"composite"
    report = report_of(answer)
    assert (report["mode"], report["mode_reason"], report["steps"]) == ("fallback", reason, 0)


async def test_without_a_render_no_network_runs(start):
    """Stable Diffusion paints a render: a photo of the garment alone is nothing to paint."""
    models = Models("needs_render")
    photo = {"garment_image": PICTURES["jacket_render"], "jacket_render": PICTURES["garment_image"]}
    report = report_of(await start(models)(pictures=PICTURES | photo))
    assert models.names == ["preprocess", "postprocess"]
    assert (report["mode"], report["mode_reason"]) == ("fallback", "needs_render")


async def test_a_client_that_is_gone_before_its_turn_uses_no_model(start):
    models, client = Models(), Client()
    client.gone = True
    with pytest.raises(Cancelled):
        await start(models)(client=client)
    assert models.calls == []


async def test_a_client_that_goes_while_it_queues_uses_no_model(start):
    models, client = Models(), Client()
    encode = models.hold("encode")
    run = start(models, max_live=1)
    first, second = asyncio.create_task(run()), asyncio.create_task(run(client=client))
    await settle()
    client.gone = True
    encode.set()
    await first
    with pytest.raises(Cancelled):
        await second
    assert models.names.count("encode") == 1


async def test_a_client_that_goes_after_encode_uses_no_unet(start):
    models, client = Models(), Client()
    encode = models.hold("encode")
    waiting = asyncio.create_task(start(models)("capture", client))
    await settle()
    client.gone = True
    encode.set()
    with pytest.raises(Cancelled):
        await waiting
    assert "unet" not in models.names


async def test_at_most_max_live_keyframes_run_at_the_same_time_and_captures_are_not_counted(start):
    models = Models()
    decode = models.hold("decode")
    run = start(models, max_live=2)
    tasks = [asyncio.create_task(run()) for _ in range(5)]
    await settle()
    assert models.names.count("encode") == 2
    tasks.append(asyncio.create_task(run("capture")))
    await settle()
    assert models.names.count("encode") == 3
    decode.set()
    await asyncio.gather(*tasks)
    assert models.names.count("encode") == 6


async def test_at_most_max_encoding_requests_are_encoded_at_the_same_time(tmp_path):
    models = Models()
    encode = models.hold("encode")
    pipeline, recipes = make_pipeline(tmp_path, models, Limits(8, 3, max_encoding=2, max_sessions=1))
    request = TryonRequest.read({"mode": "capture"}.get, recipes)
    tasks = [asyncio.create_task(pipeline.run(request, PICTURES, Client())) for _ in range(5)]
    await settle()
    assert models.names.count("encode") == 2
    encode.set()
    await asyncio.gather(*tasks)


async def test_a_request_that_breaks_the_unet_fails_alone(start):
    """The batch fails, so each of its jobs is predicted alone."""

    def failing(model, inputs):
        if model == "unet" and (inputs["prompt_embeds"] == 7).any():
            raise RuntimeError("this row breaks the network")

    class Marked(Models):
        def _text_encoder(self, inputs):
            found = super()._text_encoder(inputs)
            found["prompt_embeds"][:] = 7 * (4 in inputs["input_ids"])  # the word "red"
            return found

    run = start(Marked(failing=failing), max_live=3)
    good, bad, fine = await asyncio.gather(run(), run(fabric="red"), run(), return_exceptions=True)
    assert good["image"].tobytes() == fine["image"].tobytes() == b"decoded"
    assert str(bad) == "this row breaks the network"


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (1, 3, 8, 8), (2, 4, 8, 8), (0, 4, 8, 8)])
async def test_a_prediction_of_a_wrong_shape_is_an_error_and_no_picture(start, shape):
    """torch broadcasts (1, 4, 1, 1) to every latent without an error."""

    class Wrong(Models):
        def _unet(self, inputs):
            return {"model_output": np.zeros(shape, np.float32)}

    with pytest.raises(ValueError, match=r"prediction has shape|network returned"):
        await start(Wrong())()


@pytest.mark.parametrize("model", ["encode", "text_encoder", "unet", "decode"])
async def test_after_a_failure_the_next_request_is_answered(start, model):
    """A slot that is not given back would stop everything after max_live failures."""

    def failing(name, inputs):
        if name == model and failures:
            failures.pop()
            raise RuntimeError("once")

    failures = [1] * 5
    run = start(Models(failing=failing), max_live=1)
    for _ in range(5):
        with pytest.raises(RuntimeError, match="once"):
            await run()
    assert report_of(await run())["mode"] == "ai_enhanced"


async def test_previews_are_made_of_a_small_frame_and_sent_with_later_steps(start):
    models, client = Models(), Client()
    await start(models)("capture", client, preview_interval=2, steps=12)
    previews = [preview for *_, preview in client.told if preview]
    assert previews
    assert set(previews) == {b"decoded"}
    *small, last = models.inputs_of("decode")
    assert {inputs["output_format"][0] for inputs in small} == {"jpeg"}
    assert last["output_format"][0] == "png"


async def test_a_preview_that_fails_does_not_harm_the_answer(start):
    def failing(model, inputs):
        if model == "decode" and inputs["output_format"][0] == "jpeg":
            raise RuntimeError("no preview")

    client = Client()
    answer = await start(Models(failing=failing))("capture", client, preview_interval=1)
    assert answer["image"].tobytes() == b"decoded"
    assert [preview for *_, preview in client.told] == [None] * 6


async def test_a_sessions_light_is_given_to_its_next_keyframe_only(start):
    models = Models()
    run = start(models)
    pose = np.zeros((33, 4), np.float32)
    pose[[11, 12]] = [(0.6, 0.5, 0, 1), (0.3, 0.5, 0, 1)]
    pictures = PICTURES | {"pose": pose}
    for session in ("anna", "ben", None, "anna"):
        await run(pictures=pictures, session=session)
    *others, again = [inputs["earlier_light"] for inputs in models.inputs_of("decode")]
    assert [light.shape for light in others] == [(1, 1, 4)] * 3
    assert np.allclose(again[:, :, :3], 0.25)
    assert (again[:, :, 3] > 0).all()


async def test_a_session_is_laid_as_it_last_was(start):
    models = Models()
    run = start(models)
    answers = [
        await run(session=session, fabric=fabric)
        for session, fabric in (("a", "red"), ("b", "red"), (None, "red"), ("a", "red"), ("a", "silk"))
    ]
    asked = [inputs["earlier_laying"].tolist() for inputs in models.inputs_of("encode")]
    assert asked == [[""], [""], [""], ["laid 1"], [""]]
    assert all("laying" not in report_of(answer) for answer in answers), "it is the pipeline's own"


async def test_a_keyframe_without_a_garment_keeps_the_laying(start):
    models = Models()
    run = start(models)
    await run(session="a")
    models.reason = "no_garment"
    await run(session="a")
    models.reason = None
    await run(session="a")
    asked = [inputs["earlier_laying"].tolist() for inputs in models.inputs_of("encode")]
    assert asked == [[""], ["laid 1"], ["laid 1"]]


async def test_a_captures_laying_is_not_kept(start):
    models = Models()
    run = start(models)
    await run("capture", session="a")
    await run(session="a")
    assert [inputs["earlier_laying"].tolist() for inputs in models.inputs_of("encode")] == [[""], [""]]
