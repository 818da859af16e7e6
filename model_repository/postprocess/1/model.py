"""The model's picture back in the frame and compressed, for Triton. The work is pipeline.light's."""

import cv2
import triton_python_backend_utils as pb_utils

from pipeline.light.compositing import finish
from serving.python_backend import failure, response


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a picture of this size gains little from two

    def execute(self, requests):
        return [self._respond(request) for request in requests]

    def _respond(self, request):
        try:
            inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            image, light = finish(
                **inputs
                | {
                    "pixels": inputs["pixels"][0],
                    "relight_sigma": float(inputs["relight_sigma"][0]),
                    "detail_gain": float(inputs["detail_gain"][0]),
                    "output_format": inputs["output_format"][0].decode(),
                }
            )
            return response({"image": image, "light": light})
        except Exception as error:
            pb_utils.Logger.log_error(f"postprocess: {error!r}")
            return failure(f"INFERENCE_FAILED: postprocess: {error}")
