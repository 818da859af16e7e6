"""Turns compressed pictures and a pose into tensors; Triton's adapter of pipeline.garment."""

import json
from functools import partial
from pathlib import Path

import cv2

from pipeline.garment.preparation import prepare
from serving.python_backend import respond
from serving.visible_garment import open_networks

_TEXTS = ("render_fit", "conditioning", "framing", "category", "earlier_laying")


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a second thread gains little at this size
        self._prepare = partial(_prepare, open_networks(Path(__file__).parent))

    def execute(self, requests):
        return [respond(request, "preprocess", self._prepare) for request in requests]


def _prepare(networks, inputs):
    tensors, report = prepare(
        networks=networks,
        **inputs
        | {name: inputs[name][0].decode() for name in _TEXTS if name in inputs}
        | {"resolution": tuple(inputs["resolution"].tolist())}
        | {name: bool(inputs[name][0]) for name in ("occluded", "with_scene")},
    )
    return tensors | {"report": json.dumps(report)}
