"""A bare client of the `tryon` model, for tests and benchmarks that look past the proxy."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient

from tests.stack import network_statistics

KEYFRAMES = Path(__file__).parent / "data" / "keyframes"
_TYPES = {
    "mode": ("BYTES", object),
    "fabric": ("BYTES", object),
    "category": ("BYTES", object),
    "render_fit": ("BYTES", object),
    "prompt": ("BYTES", object),
    "output_format": ("BYTES", object),
    "session": ("BYTES", object),
    "steps": ("INT32", np.int32),
    "strength": ("FP32", np.float32),
    "guidance_scale": ("FP32", np.float32),
    "seed": ("INT64", np.int64),
    "preview_interval": ("INT32", np.int32),
}


def keyframe(name):
    """One of the recorded keyframes as `tryon`'s inputs: frame, render, and the pose where it has one."""
    folder = KEYFRAMES / name
    inputs = {
        "camera_frame": np.fromfile(folder / "camera_frame.jpg", np.uint8),
        "jacket_render": np.fromfile(folder / "jacket_render.png", np.uint8),
    }
    pose = json.loads((folder / "message.json").read_text())["pose"]
    if pose:
        points = [[p["x"], p["y"], p["z"], p["visibility"]] for p in pose["landmarks"]]
        inputs["pose"] = np.array(points, np.float32)
    return inputs


class TryonError(Exception):
    """What the model answered instead of a picture."""


class Tryon:
    def __init__(self, client, metrics_port=None):
        self._client = client
        self._metrics_port = metrics_port

    @classmethod
    @asynccontextmanager
    async def connect(cls, address, metrics_port=None):
        """metrics_port: of Triton, which has the statistics of networks that run inside `tryon`."""
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        async with InferenceServerClient(address, channel_args=options) as client:
            yield cls(client, metrics_port)

    async def stream(self, pictures, outputs=("progress", "image", "report"), **options):
        """Yields the responses of one job, each a dict of arrays by name."""
        inputs = [_input(name, array) for name, array in pictures.items()]
        inputs += [
            _input(name, np.array([value], _TYPES[name][1]), _TYPES[name][0])
            for name, value in options.items()
        ]

        async def requests():
            yield {
                "model_name": "tryon",
                "inputs": inputs,
                "outputs": [InferRequestedOutput(name) for name in outputs],
                "enable_empty_final_response": True,
            }

        stream = self._client.stream_infer(requests())
        try:
            async for result, error in stream:
                if error:
                    raise TryonError(str(error))
                response = result.get_response()
                if response.outputs:
                    yield {output.name: result.as_numpy(output.name) for output in response.outputs}
                if response.parameters["triton_final_response"].bool_param:
                    return
        finally:
            stream.cancel()

    async def dress(self, pictures, mode="keyframe", **options):
        """The last response of one job, its report parsed."""
        *_, last = [response async for response in self.stream(pictures, mode=mode, **options)]
        return {**last, "report": json.loads(last["report"][0])}

    async def statistics(self, model):
        """(inferences, executions) of a model since the server started."""
        if self._metrics_port is not None:
            found = await asyncio.to_thread(network_statistics, self._metrics_port, model)
            if found is not None:
                return found
        stats = (await self._client.get_inference_statistics(model)).model_stats[0]
        return stats.inference_count, stats.execution_count

    async def settle(self, model="unet", quiet=0.5):
        """Wait until a model has had nothing to do for `quiet` seconds; its statistics then."""
        before = None
        while (now := await self.statistics(model)) != before:
            before = now
            await asyncio.sleep(quiet)
        return now


def _input(name, array, data_type=None):
    kinds = {np.dtype(np.uint8): "UINT8", np.dtype(np.float32): "FP32"}
    tensor = InferInput(name, list(array.shape), data_type or kinds[array.dtype])
    tensor.set_data_from_numpy(array)
    return tensor
