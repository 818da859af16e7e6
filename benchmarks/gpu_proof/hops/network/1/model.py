"""Doubles the first four channels, where its input lies."""

import torch
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([self._answer(request)]) for request in requests]

    @staticmethod
    def _answer(request):
        (given,) = request.inputs()
        sample = (
            torch.from_numpy(given.as_numpy()) if given.is_cpu() else torch.from_dlpack(given.to_dlpack())
        )
        output = (2 * sample[:, :4]).contiguous()
        if output.is_cuda:
            torch.cuda.synchronize()
        return pb_utils.Tensor.from_dlpack("model_output", torch.utils.dlpack.to_dlpack(output))
