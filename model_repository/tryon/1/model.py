"""The one entry, for Triton: requests in, responses out. What happens between is pipeline.tryon."""

import asyncio
import json
from pathlib import Path

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

from pipeline.denoising.sampling import Schedulers
from pipeline.denoising.stepper import Cancelled
from pipeline.recipe import ServedConfig
from pipeline.tryon.pipeline import Limits, Pipeline
from pipeline.tryon.prompts import Prompts
from pipeline.tryon.request import InvalidRequest, TryonRequest
from serving.python_backend import StreamClient, call, failure, response, value

# What a request that leaves an optional input out means.
_DEFAULTS = {"pose": np.zeros((33, 4), np.float32), "client_mask": np.zeros(1, np.uint8)}


class TritonPythonModel:
    def initialize(self, args):
        torch.set_num_threads(1)  # it adds and stacks latents; the cores are for the networks
        folder = Path(args["model_repository"], args["model_version"])
        parameters = json.loads(args["model_config"])["parameters"]
        names = ("max_rows", "capture_interval", "max_encoding", "max_sessions")
        limits = Limits(**{name: int(parameters[name]["string_value"]) for name in names})
        try:
            config = ServedConfig.model_validate_json((folder / "pipeline.json").read_text())
            schedulers = Schedulers(json.loads((folder / "scheduler_config.json").read_text()))
        except FileNotFoundError as error:
            raise pb_utils.TritonModelException(
                f"{error.filename} is missing: run `make export` first"
            ) from error
        schedulers.warm_up(config.modes.values())
        prompts = Prompts(folder / "tokenizer.json", config.prompt, config.negative_prompt)
        self._modes = config.modes
        self._pipeline = Pipeline(config, schedulers, prompts, call, limits)

    async def execute(self, requests):
        await asyncio.gather(*(self._serve(request) for request in requests))

    async def _serve(self, request):
        """Answer one request. Whatever happens, its stream ends: an exception out of here would hang it."""
        client = StreamClient(request)
        try:
            answer = await self._answer(request, client)
        except Cancelled:
            answer = None
        except InvalidRequest as error:
            answer = failure(f"INVALID_INPUT: {error}")
        except pb_utils.TritonModelException as error:
            answer = failure(str(error))
        except Exception as error:
            pb_utils.Logger.log_error(f"tryon {client.request_id}: {error!r}")
            answer = failure(f"INFERENCE_FAILED: {error}")
        client.end(answer)

    async def _answer(self, request, client):
        inputs = {tensor.name(): tensor for tensor in request.inputs()}
        asked = TryonRequest.read(lambda name: value(inputs.get(name)), self._modes)
        pictures = {name: inputs[name] for name in ("camera_frame", "jacket_render")}
        pictures |= {name: inputs.get(name, default) for name, default in _DEFAULTS.items()}
        outputs = await self._pipeline.dress(asked, pictures, client)
        wanted = set(request.requested_output_names()) - {"progress", "preview"}
        return response({name: outputs[name] for name in wanted if name in outputs})
