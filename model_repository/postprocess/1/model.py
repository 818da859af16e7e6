"""The model's picture, pasted back into the frame and compressed."""

import cv2
import triton_python_backend_utils as pb_utils
from compose import paste, to_bgr

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
            image = self._answer(**inputs)
            return pb_utils.InferenceResponse([pb_utils.Tensor("image", image)])
        except Exception as error:
            pb_utils.Logger.log_error(f"postprocess: {error!r}")
            message = f"INFERENCE_FAILED: postprocess: {error}"
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))

    def _answer(self, pixels, composite, mask, crop, relight_sigma, output_format):
        suffix, options = _ENCODERS[output_format[0].decode()]
        answer = paste(to_bgr(pixels[0]), composite, mask, crop, float(relight_sigma[0]))
        _, image = cv2.imencode(suffix, answer, options)
        return image.reshape(-1)
