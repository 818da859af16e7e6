"""Converts a job to a request of the model `tryon`, and its responses to progress and results.

The messages are not built with `tritonclient`'s `InferInput` and `stream_infer`: those copy every picture
twice and create a class for each call. At hundreds of keyframes a second, collecting these classes stops the
event loop for 150 ms again and again.
https://github.com/kserve/kserve/blob/master/docs/predict-api/v2/required_api.md#grpc
"""

import base64
import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from pydantic import ValidationError
from tritonclient.grpc import InferResult, service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from frontend_proxy.answer_schemas import Light, Report
from frontend_proxy.errors import InferenceFailed
from frontend_proxy.garments import GarmentJob
from frontend_proxy.jobs import Job, Progress, Result

MODEL = "tryon"
# The model has more outputs, for tests, and would send all of them by default.
OUTPUTS = ("progress", "preview", "image", "report")


def infer_request(job: Job) -> service_pb2.ModelInferRequest:
    """The inputs as in model_repository/README.md; options that are None are left out."""
    given = [(name, value) for name, value in _values(job) if value is not None]
    return service_pb2.ModelInferRequest(
        model_name=MODEL,
        id=job.request_id,
        inputs=[_tensor(name, value) for name, value in given],
        raw_input_contents=[_content(value) for _, value in given],
        outputs=[service_pb2.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in OUTPUTS],
    )


def read_response(response: service_pb2.ModelInferResponse) -> Progress | Result:
    """The progress or the result in a response. Raises InferenceFailed if it has neither."""
    result = InferResult(response)
    image = result.as_numpy("image")
    if image is None:
        progress = result.as_numpy("progress")
        if progress is None:
            raise InferenceFailed("the model sent neither a picture nor progress")
        preview = result.as_numpy("preview")
        return Progress(int(progress[0]), int(progress[1]), None if preview is None else preview.tobytes())
    try:
        report = json.loads(result.as_numpy("report")[0])
        return Result(image.tobytes(), Report.model_validate(report), _light(report.get("light")))
    except (TypeError, ValueError, ValidationError) as error:
        raise InferenceFailed("the model sent a picture with an unreadable report") from error


def _light(report: dict[str, Any] | None) -> Light | None:
    """The report's `light`, whose occlusion is in base64."""
    if report is None:
        return None
    occlusion = report["occlusion"]
    return Light.model_validate(report | {"occlusion": occlusion and base64.b64decode(occlusion)})


def _values(job: Job) -> Iterator[tuple[str, bytes | np.ndarray | None]]:
    """Names and values of the inputs. Bytes become a tensor of uint8."""
    yield "camera_frame", job.camera_frame
    yield "jacket_render", job.jacket_render
    yield "mode", _text(job.mode)
    yield "pose", job.pose
    yield "client_mask", job.mask
    yield "garment_image", job.garment_image
    yield "category", _text(job.category)
    if job.garments:
        yield "garments", _text(json.dumps([_described(garment) for garment in job.garments]))
        yield "garment_pictures", b"".join(filter(None, chain(*map(_pictures, job.garments))))
    yield "render_fit", _text(job.render_fit)
    yield "fabric", _text(job.fabric)
    yield "steps", _number(job.steps, np.int32)
    yield "strength", _number(job.strength, np.float32)
    yield "guidance_scale", _number(job.guidance_scale, np.float32)
    yield "seed", _number(job.seed, np.int64)
    yield "output_format", _text(job.output_format)
    yield "preview_interval", _number(job.preview_interval, np.int32)
    yield "session", _text(job.session)


def _described(garment: GarmentJob) -> dict[str, Any]:
    """As `pipeline.tryon.garments` reads it."""
    render, photo = (len(picture or b"") for picture in _pictures(garment))
    choices = {"layer": garment.layer, "category": garment.category, "fabric": garment.fabric}
    return {**choices, "render": render, "photo": photo}


def _pictures(garment: GarmentJob) -> tuple[bytes | None, bytes | None]:
    return garment.jacket_render, garment.garment_image


def _text(value: str | None) -> np.ndarray | None:
    return None if value is None else np.array([value.encode()], np.object_)


def _number(value: float | None, kind: type[np.generic]) -> np.ndarray | None:
    return None if value is None else np.array([value], kind)


def _tensor(name: str, value: bytes | np.ndarray) -> service_pb2.ModelInferRequest.InferInputTensor:
    array = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
    return service_pb2.ModelInferRequest.InferInputTensor(
        name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape
    )


def _content(value: bytes | np.ndarray) -> bytes:
    if isinstance(value, bytes):
        return value
    return serialize_byte_tensor(value).item() if value.dtype == np.object_ else value.tobytes()
