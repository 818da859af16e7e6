"""Puts the model's picture back into the frame and compresses it; Triton's adapter of pipeline.light."""

import cv2

from pipeline.light.compositing import finish
from serving.python_backend import respond


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a second thread gains little at this size

    def execute(self, requests):
        return [respond(request, "postprocess", _finish) for request in requests]


def _finish(inputs):
    image, light = finish(
        **inputs
        | {
            "pixels": inputs["pixels"][0],
            "relight_sigma": float(inputs["relight_sigma"][0]),
            "detail_gain": float(inputs["detail_gain"][0]),
            "picture_share": float(inputs["picture_share"][0]),
            "output_format": inputs["output_format"][0].decode(),
        }
    )
    return {"image": image, "light": light}
