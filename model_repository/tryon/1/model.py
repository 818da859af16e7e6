"""The repository's only entry: Triton's adapter of pipeline.tryon."""

import asyncio
import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from serving.light_diffusers import without_hub
from serving.light_torch import without_shapes

with without_shapes():
    import torch

from families.registry import make_conditioner
from pipeline.denoising.schedule import Schedulers
from pipeline.denoising.stepper import Cancelled
from pipeline.recipe import ServedConfig
from pipeline.tensor_cache import TensorCache
from pipeline.tryon.embedding_cache import EmbeddingCache
from pipeline.tryon.garments import read_garments
from pipeline.tryon.pipeline import Limits, Pipeline
from pipeline.tryon.request import TryonRequest
from serving.entry_models import answer_of, entry_models
from serving.python_backend import StreamClient, failure, value

_PICTURES = ("jacket_render", "garment_image", "pose_image", "garment_pose_image", "client_mask")
# The values of optional inputs that a request leaves out.
_DEFAULTS = {"pose": np.zeros((33, 4), np.float32), **dict.fromkeys(_PICTURES, np.zeros(1, np.uint8))}


class TritonPythonModel:
    def initialize(self, args):
        folder = Path(args["model_repository"], args["model_version"])
        parameters = json.loads(args["model_config"])["parameters"]
        limits = Limits(**{it: int(parameters[it]["string_value"]) for it in Limits.__annotations__})
        cache = TensorCache(int(parameters["garment_cache_mb"]["string_value"]) << 20)
        try:
            config = ServedConfig.model_validate_json((folder / "pipeline.json").read_text())
            schedulers = Schedulers(json.loads((folder / "scheduler_config.json").read_text()))
        except FileNotFoundError as error:
            raise pb_utils.TritonModelException(f"{error.filename} is missing: run `make export`") from error
        models, device = entry_models(parameters, folder.parents[1])
        self._modes = config.modes
        conditioner = make_conditioner(config, folder, cache)
        models = EmbeddingCache(models, int(parameters["embedding_cache_mb"]["string_value"]) << 20)
        self._pipeline = Pipeline(config, schedulers, conditioner, models, limits, device)
        with without_hub():
            self._pipeline.warm_up()  # imports diffusers, if a sampler is its own

    async def execute(self, requests):
        await asyncio.gather(*(self._serve(request) for request in requests), return_exceptions=True)

    async def _serve(self, request):
        """Answer one request. Its stream ends whatever happens; otherwise the client would wait for ever."""
        client = StreamClient(request)
        answer = None
        try:
            answer = await self._answer(request, client)
        except Cancelled:
            pass
        except BaseException as error:
            answer = failure(error, "tryon", client.request_id)
            if not isinstance(error, Exception):
                raise
        finally:
            client.end(answer)

    async def _answer(self, request, client):
        inputs = {tensor.name(): tensor for tensor in request.inputs()}
        options = TryonRequest.read(lambda name: value(inputs.get(name)), self._modes)
        pictures = {"camera_frame": inputs["camera_frame"]}
        pictures |= {name: inputs.get(name, default) for name, default in _DEFAULTS.items()}
        garments = read_garments(value(inputs.get("garments")), inputs.get("garment_pictures"))
        recorded = torch.from_numpy(inputs["noise"].as_numpy().copy()) if "noise" in inputs else None
        outputs = await self._pipeline.run(options, pictures, client, recorded, garments)
        wanted = set(request.requested_output_names()) - {"progress", "preview"}
        return answer_of({name: outputs[name] for name in wanted if name in outputs})
