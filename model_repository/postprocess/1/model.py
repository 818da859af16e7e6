"""The model's picture, pasted back into the frame and compressed."""

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils
from compose import paste, relit, to_bgr

_ENCODERS = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
}


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a picture of this size gains little from two

    def execute(self, requests):
        return [self._respond(request) for request in requests]

    def _respond(self, request):
        try:
            inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            outputs = self._answer(**inputs)
            return pb_utils.InferenceResponse([pb_utils.Tensor(*output) for output in outputs.items()])
        except Exception as error:
            pb_utils.Logger.log_error(f"postprocess: {error!r}")
            message = f"INFERENCE_FAILED: postprocess: {error}"
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))

    def _answer(
        self, pixels, composite, mask, crop, relight_sigma, detail_gain, earlier_light, output_format
    ):
        suffix, options = _ENCODERS[output_format[0].decode()]
        picture, sigma = to_bgr(pixels[0]), float(relight_sigma[0])
        if sigma > 0:
            gain = float(detail_gain[0])
            answer, light = relit(picture, composite, mask, crop, sigma, earlier_light, gain)
        else:
            answer, light = paste(picture, composite, mask, crop), np.zeros((1, 1, 3), np.float32)
        _, image = cv2.imencode(suffix, answer, options)
        return {"image": image.reshape(-1), "light": light}
