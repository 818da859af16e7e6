"""The repository's models as plain functions: what Triton would serve of an export, without Triton."""

import json
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from pipeline.denoising.schedule import Schedulers
from pipeline.garment.preparation import prepare
from pipeline.light.compositing import finish
from pipeline.tryon.conditioner import PICTURES
from pipeline.tryon.pipeline import Limits, Pipeline
from pipeline.tryon.request import TryonRequest
from serving.visible_garment import open_networks

NONE = np.zeros(1, np.uint8)
_TEXTS = ("render_fit", "conditioning", "framing", "category", "earlier_laying")


class Output:
    """A tensor as the server's Python backend hands it out."""

    def __init__(self, value):
        self._value = np.ascontiguousarray(value)

    def as_numpy(self):
        return self._value

    def __dlpack__(self, stream=None):
        return torch.from_numpy(self._value).__dlpack__()

    def __dlpack_device__(self):
        return torch.from_numpy(self._value).__dlpack_device__()


class PlainModels:
    """
    stages: of an export, by torch.
    calls: the names of the models in the order in which they were called, with the rows of their first input.
    decoded: the latents of the last call of `vae_decoder`.
    """

    def __init__(self, stages):
        self._stages = {stage.name: stage for stage in stages}
        self.calls = []
        self.decoded = None

    async def __call__(self, model, inputs, outputs, request_id=""):
        arrays = {name: _array(value) for name, value in inputs.items()}
        self.calls.append((model, len(next(iter(arrays.values())))))
        found = self.run(model, arrays)
        return {name: Output(found[name]) for name in outputs}

    def run(self, model, inputs):
        if model == "preprocess":
            return _preprocess(inputs)
        if model == "postprocess":
            return _postprocess(inputs)
        if model == "encode":
            prepared = _preprocess(inputs)
            return prepared | self.run("vae_encoder", {"pixels": prepared["pixels"]})
        if model == "decode":
            self.decoded = inputs.pop("latents")
            painted = self.run("vae_decoder", {"latents": self.decoded})
            return painted | _postprocess(inputs | painted)
        return self._network(self._stages[model], inputs)

    def _network(self, stage, inputs):
        assert set(inputs) == set(stage.example), f"{stage.name} gets {sorted(inputs)}"
        tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
        for name, example in stage.example.items():
            if example.ndim == 1:  # the model's configuration takes (rows, 1)
                tensors[name] = tensors[name].squeeze(1)
        with torch.no_grad():
            outputs = stage.module(**tensors)
        outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        return dict(zip(stage.outputs, (it.numpy() for it in outputs), strict=True))


@cache
def _visible_garment():
    return open_networks()


def _preprocess(inputs):
    texts = {name: inputs[name][0] for name in _TEXTS if name in inputs}
    flags = {name: bool(inputs[name][0]) for name in ("occluded", "with_scene")}
    others = {"resolution": tuple(inputs["resolution"].tolist()), "networks": _visible_garment()}
    tensors, report = prepare(**inputs | texts | flags | others)
    return tensors | {"report": np.array([json.dumps(report)], np.object_)}


def _postprocess(inputs):
    numbers = {name: float(inputs[name][0]) for name in ("relight_sigma", "detail_gain", "picture_share")}
    image, light = finish(
        **inputs | numbers | {"pixels": inputs["pixels"][0], "output_format": inputs["output_format"][0]}
    )
    return {"image": image, "light": light}


def _array(value):
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, torch.Tensor):
        return value.numpy()
    return value.as_numpy()


@dataclass
class PlainClient:
    request_id: str = "test"
    progressed: list = field(default_factory=list)

    def cancelled(self):
        return False

    def progress(self, step, steps, preview):
        self.progressed.append((step, steps))


def plain_pipeline(config, scheduler_config, conditioner, models):
    """The pipeline of `tryon` for an exported configuration, on `models`."""
    limits = Limits(max_rows=16, capture_interval=3, max_encoding=4, max_sessions=4)
    return Pipeline(config, Schedulers(scheduler_config), conditioner, models, limits)


async def dress(pipeline, config, pictures, noise=None, garments=(), **options):
    """The answer's tensors as arrays. noise: (N,), recorded. garments: of pipeline.tryon.garments."""
    request = TryonRequest.read({"mode": "capture", **options}.get, config.modes)
    given = {
        "pose": np.zeros((33, 4), np.float32),
        **dict.fromkeys((*PICTURES, "jacket_render", "client_mask"), NONE),
        **pictures,
    }
    recorded = None if noise is None else torch.from_numpy(np.ascontiguousarray(noise, np.float32).ravel())
    answer = await pipeline.run(request, given, PlainClient(), recorded, garments)
    return {name: _array(value) for name, value in answer.items()}
