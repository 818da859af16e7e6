"""Compressed pictures and a pose → what the networks and `postprocess` need."""

import json

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils
from crop import around, latent_mask, pixels
from masking import RENDER_FITS, composite, find_garment, torso_overlap
from pictures import NotAnImage, cut_out, decode_frame, decode_mask, decode_render
from pose import Pose


class UnknownFit(ValueError):
    """The request names no fit that there is."""


class TritonPythonModel:
    def initialize(self, args):
        cv2.setNumThreads(1)  # the stages share the cores; a picture of this size gains little from two

    def execute(self, requests):
        return [self._respond(request) for request in requests]

    def _respond(self, request):
        try:
            inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            return pb_utils.InferenceResponse(self._prepare(**inputs))
        except NotAnImage as error:
            return _failure(f"IMAGE_DECODE: {error}")
        except UnknownFit as error:
            return _failure(f"INVALID_INPUT: {error}")
        except Exception as error:
            pb_utils.Logger.log_error(f"preprocess: {error!r}")
            return _failure(f"INFERENCE_FAILED: preprocess: {error}")

    def _prepare(self, camera_frame, jacket_render, pose, client_mask, render_fit, resolution, masked):
        render_fit = render_fit[0].decode()
        if render_fit not in RENDER_FITS:
            raise UnknownFit(f"render_fit is {render_fit!r}; it must be one of {', '.join(RENDER_FITS)}")
        resolution = (int(resolution[0]), int(resolution[1]))
        frame = decode_frame(camera_frame)
        landmarks = Pose(pose, frame.shape[1::-1])
        render = decode_render(jacket_render)
        if client_mask.size > 1:
            render = cut_out(render, decode_mask(client_mask))
        garment = find_garment(render, frame, landmarks, render_fit)
        crop = around(garment.mask, resolution)
        painted = latent_mask(crop, garment.mask, resolution)
        drawn = composite(garment, frame)
        report = {
            "mask_source": "client" if client_mask.size > 1 and garment.source == "alpha" else garment.source,
            "mode_reason": garment.reason,
            "alignment": {
                "fit": garment.registration.fit,
                "score": torso_overlap(garment.mask, landmarks),
            },
        }
        outputs = {
            "composite": drawn,
            "mask": garment.mask,
            "crop": np.array([crop.x, crop.y, crop.width, crop.height], np.int32),
            "pixels": pixels(crop, drawn, painted, resolution, bool(masked[0])),
            "latent_mask": painted,
        }
        return [
            *(pb_utils.Tensor(name, np.ascontiguousarray(array)) for name, array in outputs.items()),
            pb_utils.Tensor("report", np.array([json.dumps(report)], np.object_)),
        ]


def _failure(message):
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))
