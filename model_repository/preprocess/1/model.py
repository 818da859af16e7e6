"""Compressed pictures and a pose to tensors, for Triton. The work is pipeline.garment's."""

import json

import cv2
import triton_python_backend_utils as pb_utils

from pipeline.garment.pictures import NotAnImage
from pipeline.garment.preparation import UnknownFit, prepare
from serving.python_backend import failure, response


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a picture of this size gains little from two

    def execute(self, requests):
        return [self._respond(request) for request in requests]

    def _respond(self, request):
        try:
            inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            tensors, report = prepare(
                **inputs
                | {
                    "render_fit": inputs["render_fit"][0].decode(),
                    "resolution": tuple(inputs["resolution"].tolist()),
                    "masked": bool(inputs["masked"][0]),
                }
            )
            return response(tensors | {"report": json.dumps(report)})
        except NotAnImage as error:
            return failure(f"IMAGE_DECODE: {error}")
        except UnknownFit as error:
            return failure(f"INVALID_INPUT: {error}")
        except Exception as error:
            pb_utils.Logger.log_error(f"preprocess: {error!r}")
            return failure(f"INFERENCE_FAILED: preprocess: {error}")
