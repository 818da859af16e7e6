"""Networks in the caller's process, beside models of a fake Triton."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.light.compositing import to_bgr
from pipeline.tryon.models import HostTensor
from serving.in_process import InProcess, Step, ensemble_steps, scalars, to_levels
from serving.model_config import read_model_config

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"


class Doubling:
    """A network that doubles its inputs, and remembers its threads."""

    device = torch.device("cpu")

    def __init__(self, fails=False):
        self.threads, self.running, self.most, self.fails = set(), 0, 0, fails

    def call(self, inputs):
        self.threads.add(threading.current_thread().name)
        self.running += 1
        self.most = max(self.most, self.running)
        if self.fails:
            raise RuntimeError("out of memory")
        outputs = {f"{name}_doubled": 2 * tensor for name, tensor in inputs.items()}
        self.running -= 1
        return outputs


class Triton:
    """Remembers its calls; an output is one more than the first input."""

    def __init__(self):
        self.calls = []

    async def __call__(self, model, inputs, outputs, request_id=""):
        self.calls.append((model, inputs, tuple(outputs), request_id))
        first = next(iter(inputs.values()))
        return {name: HostTensor(np.asarray(first) + 1) for name in outputs}


STEPS = [
    Step("preprocess", {"frame": "camera_frame"}, {"pixels": "pixels", "mask": "mask", "unused": "unused"}),
    Step("vae_encoder", {"x": "pixels"}, {"x_doubled": "latents"}),
]


def numbers(*values):
    return np.array(values, np.float32)


async def test_a_network_runs_here_and_other_models_in_triton():
    triton, network = Triton(), Doubling()
    models = InProcess(triton, {"unet": network}, {})
    answer = await models("unet", {"x": numbers(1, 2)}, ["x_doubled"])
    assert answer["x_doubled"].as_numpy().tolist() == [2, 4]
    assert torch.from_dlpack(answer["x_doubled"]).tolist() == [2, 4]
    assert triton.calls == []
    await models("preprocess", {"frame": numbers(1)}, ["pixels"], "a request")
    assert triton.calls[0][0] == "preprocess"
    assert triton.calls[0][3] == "a request"


@pytest.mark.parametrize("value", [numbers(3), torch.tensor([3.0]), HostTensor(numbers(3))])
async def test_a_network_takes_arrays_tensors_and_outputs_of_other_models(value):
    models = InProcess(Triton(), {"unet": Doubling()}, {})
    answer = await models("unet", {"x": value}, ["x_doubled"])
    assert answer["x_doubled"].as_numpy().tolist() == [6]


async def test_an_ensemble_with_a_network_is_done_step_by_step():
    triton = Triton()
    models = InProcess(triton, {"vae_encoder": Doubling()}, {"encode": STEPS})
    answer = await models("encode", {"camera_frame": numbers(1)}, ["mask", "latents"], "a request")
    assert answer["latents"].as_numpy().tolist() == [4], "(1 + 1) * 2"
    assert answer["mask"].as_numpy().tolist() == [2]
    [(model, _, outputs, request_id)] = triton.calls
    assert (model, set(outputs), request_id) == ("preprocess", {"pixels", "mask"}, "a request"), (
        "what nobody reads is not asked for"
    )


async def test_an_ensemble_without_a_network_here_is_tritons():
    triton = Triton()
    models = InProcess(triton, {"unet": Doubling()}, {"encode": STEPS})
    await models("encode", {"camera_frame": numbers(1)}, ["latents"])
    assert [call[0] for call in triton.calls] == ["encode"]


async def test_triton_gets_a_networks_output_in_main_memory():
    """Its models are processes of their own: a tensor on the GPU would have to go by CUDA IPC."""
    triton = Triton()
    steps = [Step("vae_decoder", {"x": "latents"}, {"x_doubled": "pixels"}),
             Step("postprocess", {"pixels": "pixels"}, {"image": "image"})]  # fmt: skip
    models = InProcess(triton, {"vae_decoder": Doubling()}, {"decode": steps})
    answer = await models("decode", {"latents": torch.ones(1)}, ["image"])
    assert isinstance(triton.calls[0][1]["pixels"], np.ndarray)
    assert answer["image"].as_numpy().tolist() == [3]


async def test_pictures_leave_the_device_as_they_would_be_rounded():
    """`postprocess` rounds them to uint8 anyway; a quarter of the bytes travel."""
    triton = Triton()
    steps = [Step("vae_decoder", {"x": "latents"}, {"x_doubled": "pixels"}),
             Step("postprocess", {"pixels": "pixels"}, {"image": "image"})]  # fmt: skip
    networks = {"vae_decoder": Doubling()}
    models = InProcess(triton, networks, {"decode": steps}, pictures=("pixels", "x_doubled"))
    latents = torch.linspace(-0.7, 0.7, 3 * 32 * 32).reshape(1, 3, 32, 32)
    answer = await models("decode", {"latents": latents}, ["image", "pixels"])
    sent = triton.calls[0][1]["pixels"]
    assert (sent.dtype, sent.shape) == (np.uint8, (1, 3, 32, 32))
    exact = answer["pixels"].as_numpy()
    assert np.array_equal(to_bgr(sent[0]), to_bgr(exact[0]))
    assert np.array_equal(exact, 2 * latents.numpy()), "who asks for the picture itself gets it"
    given = np.zeros((1, 3, 8, 8), np.float32)
    await models("postprocess", {"pixels": given}, ["image"])
    assert np.array_equal(triton.calls[1][1]["pixels"], np.full((1, 3, 8, 8), 128)), (
        "where nothing is painted"
    )


def test_a_picture_is_rounded_as_postprocess_does():
    picture = np.random.default_rng(0).uniform(-1.2, 1.2, (1, 3, 64, 64)).astype(np.float32)
    assert np.array_equal(to_bgr(to_levels(picture)[0]), to_bgr(picture[0]))


async def test_one_number_a_row_has_the_shape_that_the_network_takes():
    """Triton reshapes (rows, 1) to (rows,) where the configuration says so."""
    flat = {"unet": scalars(read_model_config(REPOSITORY / "unet"))}
    assert flat == {"unet": ["timestep"]}
    models = InProcess(Triton(), {"unet": Doubling()}, {}, flat)
    given = {"timestep": torch.ones(3, 1), "sample": torch.ones(3, 4)}
    answer = await models("unet", given, ["timestep_doubled", "sample_doubled"])
    assert answer["timestep_doubled"].as_numpy().shape == (3,)
    assert answer["sample_doubled"].as_numpy().shape == (3, 4)


async def test_each_call_is_counted_with_its_rows():
    seen = []
    models = InProcess(
        Triton(), {"unet": Doubling()}, {}, observe=lambda model, rows, seconds: seen.append((model, rows))
    )
    for rows in (1, 3):
        await models("unet", {"x": torch.ones(rows, 2)}, ["x_doubled"])
    assert seen == [("unet", 1), ("unet", 3)]


async def test_networks_share_one_thread_that_is_not_the_event_loops():
    unet, decoder = Doubling(), Doubling()
    models = InProcess(Triton(), {"unet": unet, "vae_decoder": decoder}, {})
    await asyncio.gather(
        *(
            models(name, {"x": numbers(1)}, ["x_doubled"])
            for name in ("unet", "vae_decoder")
            for _ in range(5)
        )
    )
    assert len(unet.threads | decoder.threads) == 1
    assert threading.current_thread().name not in unet.threads
    assert unet.most == decoder.most == 1


async def test_a_networks_failure_is_its_callers_and_the_next_call_runs():
    models = InProcess(Triton(), {"unet": Doubling(), "vae_decoder": Doubling(fails=True)}, {})
    with pytest.raises(RuntimeError, match="out of memory"):
        await models("vae_decoder", {"x": numbers(1)}, ["x_doubled"])
    assert (await models("unet", {"x": numbers(1)}, ["x_doubled"]))["x_doubled"].as_numpy().tolist() == [2]


def test_the_steps_are_those_of_the_repositorys_ensembles():
    for name, models in (
        ("encode", ["preprocess", "vae_encoder"]),
        ("decode", ["vae_decoder", "postprocess"]),
    ):
        config = read_model_config(REPOSITORY / name)
        steps = ensemble_steps(config)
        assert [step.model for step in steps] == models
        made = {outer for step in steps for outer in step.outputs.values()}
        assert {tensor.name for tensor in config.output} <= made
    assert ensemble_steps(read_model_config(REPOSITORY / "unet")) == []
