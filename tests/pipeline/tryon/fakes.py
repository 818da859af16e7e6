"""Fake models, a client and a checkpoint's files, for tests of the pipeline without Triton and networks."""

import asyncio
import json

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from families.sd_inpainting.conditioner import SdInpainting
from families.sd_inpainting.linear_decoder import LinearDecoder
from pipeline.denoising.schedule import Schedulers
from pipeline.recipe import ServedConfig
from pipeline.tryon.pipeline import Limits, Pipeline
from pipeline.tryon.prompts import Prompts

SIDE = 64  # of the networks, in pixels
RECIPE = {"scheduler": "DDIMScheduler", "steps": 3, "strength": 1.0, "guidance_scale": 1.0}
CONFIG = {
    "resolution": [SIDE, SIDE],
    "conditioning": "composite",
    "prompt": "a {fabric} jacket",
    "negative_prompt": "blurry",
    "keyframe": RECIPE,
    "capture": RECIPE | {"steps": 6, "guidance_scale": 3.0},
    "max_live": 2,
}
LIMITS = Limits(max_rows=8, capture_interval=3, max_encoding=4, max_sessions=10)
WORDS = ["[UNK]", "a", "jacket", "blurry", "red", "silk", "dim", "light"]
PICTURES = {
    "camera_frame": np.zeros(9, np.uint8),
    "jacket_render": np.zeros(9, np.uint8),
    "pose": np.zeros((33, 4), np.float32),
    "client_mask": np.zeros(1, np.uint8),
    "garment_image": np.zeros(1, np.uint8),
    "pose_image": np.zeros(1, np.uint8),
    "garment_pose_image": np.zeros(1, np.uint8),
}


class Output(np.ndarray):
    """A model's output on a CPU: an array that also has Triton's `as_numpy`."""

    def as_numpy(self):
        return np.asarray(self)


def outputs(**arrays):
    return {name: np.asarray(array).view(Output) for name, array in arrays.items()}


class Models:
    """Answers calls of models, and remembers them.

    reason: the `mode_reason` that `preprocess` reports.
    held: models whose calls wait until `release` of them.
    failing: raises for a call, given its model and inputs, or does nothing.
    """

    def __init__(self, reason=None, failing=lambda model, inputs: None):
        self.calls, self.reason, self.failing = [], reason, failing
        self.held = {}

    def hold(self, model):
        self.held[model] = asyncio.Event()
        return self.held[model]

    @property
    def names(self):
        return [name for name, *_ in self.calls]

    def inputs_of(self, model):
        return [inputs for name, inputs, _ in self.calls if name == model]

    async def __call__(self, model, inputs, outputs, request_id=""):
        self.calls.append((model, inputs, request_id))
        await asyncio.sleep(0)
        if model in self.held:
            await self.held[model].wait()
        self.failing(model, inputs)
        found = getattr(self, "_" + model.removesuffix("_fast"))(inputs)
        return {name: found[name] for name in outputs}

    def _encode(self, inputs):
        mask = np.zeros((48, 80), np.uint8)
        mask[10:40, 20:60] = 255
        report = {"mask_source": "alpha", "mode_reason": self.reason, "alignment": {"fit": "stretch"}}
        report["laying"] = None if self.reason else f"laid {len(self.inputs_of('encode'))}"
        small = (1, 4, SIDE // 8, SIDE // 8)
        return outputs(
            composite=np.full((48, 80, 3), 9, np.uint8),
            mask=mask,
            garment_map=np.zeros((1, 1), np.uint8),
            crop=np.array([16, 0, 48, 48], np.int32),
            latent_mask=np.ones((1, 1, *small[2:]), np.float32),
            report=np.array([json.dumps(report).encode()], np.object_),
            latent_mean=np.zeros(small, np.float32),
            latent_std=np.ones(small, np.float32),
            scene=np.zeros((1, 11, 96, 96), np.float32),
            scene_window=np.array([0, 0, 64, 64], np.int32),
            pixels=np.zeros((2, 3, SIDE, SIDE), np.float32),
        )

    def _preprocess(self, inputs):
        return self._encode(inputs)

    def _text_encoder(self, inputs):
        return outputs(prompt_embeds=np.zeros((len(inputs["input_ids"]), 4, 8), np.float32))

    def _unet(self, inputs):
        return outputs(model_output=inputs["sample"][:, :4].numpy() * 0.1)

    def _light_reader(self, inputs):
        return outputs(
            log_light=np.full((1, 3, 48, 48), -0.5, np.float32), confidence=np.full((1, 1), 0.75, np.float32)
        )

    def _decode(self, inputs):
        return outputs(
            image=np.frombuffer(b"decoded", np.uint8),
            pixels=np.zeros((1, 3, SIDE, SIDE), np.float32),
            light=np.full((SIDE, SIDE, 3), 0.25, np.float32),
        )

    def _postprocess(self, inputs):
        return outputs(
            image=np.frombuffer(b"composite", np.uint8), light=np.zeros((SIDE, SIDE, 3), np.float32)
        )


class Client:
    def __init__(self, request_id="a request"):
        self.request_id, self.gone, self.told = request_id, False, []

    def cancelled(self):
        return self.gone

    def progress(self, step, steps, preview):
        self.told.append((step, steps, None if preview is None else preview.tobytes()))


def write_tokenizer(path):
    """A tokenizer.json of the few WORDS; it pads to 4 tokens and truncates."""
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_padding(length=4)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(path))
    return path


def make_pipeline(folder, models, limits=LIMITS, device="cpu", **config):
    """The pipeline of CONFIG with the changes in `config`, and its recipes by mode."""
    served = ServedConfig.model_validate(CONFIG | config)
    prompts = Prompts(write_tokenizer(folder / "tokenizer.json"), served.prompt, served.negative_prompt)
    linear_decoder = LinearDecoder(torch.zeros((4, 3, 8, 8)), torch.zeros(4))
    conditioner = SdInpainting(prompts, linear_decoder)
    schedulers = Schedulers({"clip_sample": False})
    return Pipeline(served, schedulers, conditioner, models, limits, device), served.modes


def report_of(answer):
    return json.loads(answer["report"][0])
