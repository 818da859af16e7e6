"""`tryon` as Triton loads it, on a fake Python backend: every stream ends, and each error has its code."""

import asyncio
import json

import numpy as np
import pytest

from tests.fake_pb_utils import Backend, InferenceResponse, Request, Sender, Tensor, TritonError
from tests.pipeline.tryon.fakes import CONFIG, Models, write_tokenizer

FINAL = Backend.TRITONSERVER_RESPONSE_COMPLETE_FINAL
PARAMETERS = {
    "max_rows": "8",
    "capture_interval": "3",
    "max_encoding": "4",
    "max_sessions": "10",
    "garment_cache_mb": "1",
    "embedding_cache_mb": "1",
    "served": '{"profile": "cpu"}',
}


def bls(models):
    """Answers the model's calls of other models by the fakes."""

    def answer(request):
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs}
        models.calls.append((request.model_name, inputs, request.request_id))
        try:
            models.failing(request.model_name, inputs)
        except RuntimeError as error:
            return InferenceResponse(error=TritonError(str(error)))
        if request.model_name == "unet":
            found = {"model_output": inputs["sample"][:, :4] * 0.1}
        else:
            found = getattr(models, "_" + request.model_name)(inputs)
        wanted = request.requested_output_names
        return InferenceResponse([Tensor(name, np.asarray(found[name])) for name in wanted])

    return answer


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "pipeline.json").write_text(json.dumps(CONFIG))
    (tmp_path / "1" / "scheduler_config.json").write_text("{}")
    write_tokenizer(tmp_path / "1" / "tokenizer.json")
    return tmp_path


@pytest.fixture
def serve(folder, monkeypatch):
    """Serves requests on fake models; returns what each stream got, as (response, flags)."""

    def served(models, *requests):
        backend = Backend(bls(models))
        model = backend.load(monkeypatch, "tryon")
        model.initialize(arguments(folder))
        asyncio.run(asyncio.wait_for(model.execute(list(requests)), 20))
        return [request.sender.sent for request in requests], backend

    return served


def arguments(folder):
    config = {"parameters": {name: {"string_value": value} for name, value in PARAMETERS.items()}}
    return {"model_repository": str(folder), "model_version": "1", "model_config": json.dumps(config)}


def request(outputs=("image", "report"), sender=None, **inputs):
    given = {
        "camera_frame": np.zeros(9, np.uint8),
        "jacket_render": np.zeros(9, np.uint8),
        "mode": "keyframe",
    }
    return Request(given | inputs, outputs, sender=sender)


def test_it_warms_up_before_triton_calls_it_ready(folder, monkeypatch):
    warmed = []
    monkeypatch.setattr("pipeline.tryon.pipeline.Pipeline.warm_up", lambda pipeline: warmed.append(pipeline))
    model = Backend(bls(Models())).load(monkeypatch, "tryon")
    model.initialize(arguments(folder))
    assert len(warmed) == 1


def test_a_keyframe_is_one_final_response(serve):
    [[(response, flags)]], _ = serve(Models(), request())
    assert flags == FINAL
    assert response.arrays()["image"].tobytes() == b"decoded"
    assert json.loads(response.arrays()["report"][0])["mode"] == "ai_enhanced"


@pytest.mark.parametrize(
    "outputs", [["image"], ["report"], ["mask", "crop"], ["image", "latent_mask", "pixels", "composite"]]
)
def test_only_requested_outputs_are_sent(serve, outputs):
    """A composite of 25 megapixels is 75 MB."""
    [[(response, _)]], _ = serve(Models(), request(outputs))
    assert set(response.arrays()) == set(outputs)


def test_a_capture_streams_its_progress_and_then_the_image(serve):
    [sent], _ = serve(Models(), request(mode="capture"))
    *steps, (last, flags) = sent
    assert [response.arrays()["progress"].tolist() for response, _ in steps] == [[n, 6] for n in range(1, 7)]
    assert [flags for _, flags in steps] == [0] * 6
    assert set(last.arrays()) == {"image", "report"}
    assert flags == FINAL


def test_a_request_without_pose_and_mask_gets_their_defaults(serve):
    models = Models()
    serve(models, request())
    [encode] = models.inputs_of("encode")
    assert encode["pose"].shape == (33, 4)
    assert not encode["pose"].any()
    assert encode["client_mask"].shape == (1,)


def test_a_request_without_any_picture_of_the_garment_is_refused(serve):
    one = request()
    one._inputs = [tensor for tensor in one._inputs if tensor.name() != "jacket_render"]
    [[(response, flags)]], backend = serve(Models(), one)
    assert response.error().message().startswith("INVALID_INPUT: jacket_render is missing, and so is ")
    assert flags == FINAL
    assert not backend.Logger.errors


def test_recorded_noise_decides_the_latents(serve):
    """Tests repeat a run whose random numbers come from another program."""
    models = Models()
    serve(models, request(noise=np.arange(2 * 4 * 64, dtype=np.float32)))
    first = models.inputs_of("unet")[0]["sample"]
    assert np.array_equal(first[0, :4].ravel(), np.arange(256))
    assert np.array_equal(first[0, 5:].ravel(), np.arange(256, 512)), "the conditioning image's draw"


def test_too_little_recorded_noise_is_the_clients_fault(serve):
    [[(response, _)]], _ = serve(Models(), request(noise=np.zeros(9, np.float32)))
    assert response.error().message().startswith("INVALID_INPUT: noise has 9 values")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mode": "photo"}, "INVALID_INPUT: mode is 'photo'"),
        ({"mode": "capture", "steps": np.array([0], np.int32)}, "INVALID_INPUT: steps is 0"),
        ({"output_format": "gif"}, "INVALID_INPUT: output_format is 'gif'"),
    ],
)
def test_a_wrong_option_is_the_clients_fault(serve, wrong, message):
    [[(response, flags)]], backend = serve(Models(), request(**wrong))
    assert response.error().message().startswith(message)
    assert flags == FINAL
    assert not backend.Logger.errors


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("in ensemble 'encode', IMAGE_DECODE: no image", "in ensemble 'encode', IMAGE_DECODE: no image"),
        ("stub process is not healthy", "INFERENCE_FAILED: tryon: stub process is not healthy"),
    ],
)
@pytest.mark.parametrize("model", ["encode", "text_encoder", "unet", "decode"])
def test_another_models_error_ends_the_stream(serve, model, told, expected):
    def failing(name, inputs):
        if name == model:
            raise RuntimeError(told)

    [[(response, flags)]], _ = serve(Models(failing=failing), request())
    assert response.error().message() == expected
    assert flags == FINAL


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, SystemExit, StopIteration])
def test_whatever_the_pipeline_raises_its_stream_ends(serve, error):
    """A stream without the FINAL flag hangs its client, and outlives SIGTERM."""

    class Broken(Models):
        def _text_encoder(self, inputs):
            if 4 in inputs["input_ids"]:  # the word "red"
                raise error("in the pipeline")
            return super()._text_encoder(inputs)

    bad, good = request(fabric="red"), request()
    if error is SystemExit:  # asyncio ends its loop with it; the stream has ended by then
        with pytest.raises(SystemExit):
            serve(Broken(), bad)
        [(response, flags)] = bad.sender.sent
    else:
        [[(response, flags)], [(answer, _)]], _ = serve(Broken(), bad, good)
        assert not answer.has_error()
    assert response.error().message().startswith("INFERENCE_FAILED: tryon: ")
    assert flags == FINAL


def test_a_cancelled_request_ends_without_a_response(serve):
    sender = Sender()
    sender.is_gone = True
    [sent], backend = serve(Models(), request(sender=sender))
    assert sent == [(None, FINAL)]
    assert not backend.Logger.errors


def test_a_response_that_cannot_be_sent_hangs_nobody(serve):
    def refuse(response, flags):
        if response is not None:
            raise MemoryError("shared memory is full")

    [sent, [(answer, _)]], _ = serve(Models(), request(sender=Sender(refuse)), request())
    assert sent == [(None, FINAL)]
    assert not answer.has_error()


@pytest.mark.parametrize("missing", ["pipeline.json", "scheduler_config.json"])
def test_without_an_export_it_says_what_to_do(folder, monkeypatch, missing):
    (folder / "1" / missing).unlink()
    backend = Backend()
    with pytest.raises(backend.TritonModelException, match=f"{missing} is missing: run `make export`$"):
        backend.load(monkeypatch, "tryon").initialize(arguments(folder))
