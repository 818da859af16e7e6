"""Networks in the caller's process, beside models of a fake Triton."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.tryon.models import HostTensor
from serving.in_process import InProcess, Step, ensemble_steps
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
