"""Turns compressed pictures and a pose into tensors; Triton's adapter of pipeline.garment."""

import json

import cv2

from pipeline.garment.preparation import prepare
from serving.python_backend import respond


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a second thread gains little at this size

    def execute(self, requests):
        return [respond(request, "preprocess", _prepare) for request in requests]


def _prepare(inputs):
    tensors, report = prepare(
        **inputs
        | {
            "render_fit": inputs["render_fit"][0].decode(),
            "resolution": tuple(inputs["resolution"].tolist()),
            "masked": bool(inputs["masked"][0]),
            "earlier_laying": inputs["earlier_laying"][0].decode(),
        }
    )
    return tensors | {"report": json.dumps(report)}
