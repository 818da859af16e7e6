"""Waits as long as the steps would take, and answers with the camera frame."""

import asyncio
import json
import time

import numpy as np
import triton_python_backend_utils as pb_utils

_STEPS = {"keyframe": 4, "capture": 25}


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        self._step_s = float(parameters["step_ms"]["string_value"]) / 1000
        self._slots = asyncio.Semaphore(int(parameters["jobs_at_once"]["string_value"]))

    async def execute(self, requests):
        await asyncio.gather(*(self._serve(request) for request in requests))

    async def _serve(self, request):
        sender, began = request.get_response_sender(), time.perf_counter()
        mode = pb_utils.get_input_tensor_by_name(request, "mode").as_numpy()[0].decode()
        chosen = pb_utils.get_input_tensor_by_name(request, "steps")
        steps = int(chosen.as_numpy()[0]) if chosen else _STEPS[mode]
        async with self._slots:
            for step in range(1, steps + 1):
                await asyncio.sleep(self._step_s)
                if sender.is_cancelled():
                    sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                    return
                if mode == "capture":
                    progress = pb_utils.Tensor("progress", np.array([step, steps], np.int32))
                    sender.send(pb_utils.InferenceResponse([progress]))
        elapsed = 1000 * (time.perf_counter() - began)
        report = {"mode": "ai_enhanced", "steps": steps, "latency_ms": {"denoise": elapsed, "total": elapsed}}
        frame = pb_utils.get_input_tensor_by_name(request, "camera_frame").as_numpy()
        outputs = [
            pb_utils.Tensor("image", frame),
            pb_utils.Tensor("report", np.array([json.dumps(report)], np.object_)),
        ]
        sender.send(pb_utils.InferenceResponse(outputs), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
