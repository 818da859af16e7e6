"""Turns compressed pictures and a pose into tensors; Triton's adapter of pipeline.garment."""

import json

import cv2

from pipeline.garment.preparation import prepare
from serving.python_backend import respond

_TEXTS = ("render_fit", "conditioning", "framing", "category", "earlier_laying")


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a second thread gains little at this size

    def execute(self, requests):
        return [respond(request, "preprocess", _prepare) for request in requests]


def _prepare(inputs):
    tensors, report = prepare(
        **inputs
        | {name: inputs[name][0].decode() for name in _TEXTS if name in inputs}
        | {"resolution": tuple(inputs["resolution"].tolist()), "occluded": bool(inputs["occluded"][0])}
    )
    return tensors | {"report": json.dumps(report)}
