"""The one entry: takes a request apart, runs it through the pipeline, answers.

A request is a job: `encode`, then the stepper's ticks together with everybody else's job, then `decode`.
"""

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import torch
import triton_python_backend_utils as pb_utils
from batch import alike, stack
from lights import NO_LIGHT, Lights, View
from previews import Previews, shrink
from sampling import Denoising, Recipe, Schedulers
from stepper import Cancelled, Stepper
from tokenizers import Tokenizer

_ENCODED = ("composite", "mask", "crop", "latent_mask", "report", "latent_mean", "latent_std")
_FORMATS = {"keyframe": "jpeg", "capture": "png"}


class Refused(ValueError):
    """The request is not as the tensors' description says."""


class TritonPythonModel:
    def initialize(self, args):
        torch.set_num_threads(1)  # it adds and stacks latents; the cores are for the networks
        folder = Path(args["model_repository"], args["model_version"])
        try:
            pipeline = json.loads((folder / "pipeline.json").read_text())
            self._schedulers = Schedulers(json.loads((folder / "scheduler_config.json").read_text()))
        except FileNotFoundError as error:
            raise pb_utils.TritonModelException(
                f"{error.filename} is missing: run `make export` first"
            ) from error
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        same = {"resolution": pipeline["resolution"]}
        self._recipes = {mode: Recipe(**same | pipeline[mode]) for mode in _FORMATS}
        for recipe in self._recipes.values():
            # Imports what is lazy, before anyone waits.
            self._schedulers.fresh(recipe.scheduler).set_timesteps(recipe.steps)
        self._prompts = pipeline["prompt"], pipeline["negative_prompt"]
        self._masked = np.array([pipeline["conditioning"] == "masked"])
        self._batch_sizes = pipeline.get("batch_sizes", ())
        parameters = json.loads(args["model_config"])["parameters"]
        # Lines of our own, first come, first served: what waits in a model's queue cannot be cancelled.
        self._live = asyncio.Semaphore(int(parameters["max_live"]["string_value"]))
        self._encoders = asyncio.Semaphore(int(parameters["max_encoding"]["string_value"]))
        self._lights = Lights(int(parameters["max_sessions"]["string_value"]))
        self._stepper = Stepper(
            self._predict,
            max_rows=int(parameters["max_rows"]["string_value"]),
            capture_interval=int(parameters["capture_interval"]["string_value"]),
        )

    async def execute(self, requests):
        await asyncio.gather(*(self._serve(request) for request in requests))

    async def _serve(self, request):
        """Answer one request. Whatever happens, its stream ends: an exception out of here would hang it."""
        sender = request.get_response_sender()
        try:
            response = await self._dress(request, sender)
        except Cancelled:
            response = None
        except Refused as error:
            response = _failure(f"INVALID_INPUT: {error}")
        except pb_utils.TritonModelException as error:
            response = _failure(str(error))
        except Exception as error:
            pb_utils.Logger.log_error(f"tryon {request.request_id()}: {error!r}")
            response = _failure(f"INFERENCE_FAILED: {error}")
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if response is None:
            sender.send(flags=final)
        else:
            sender.send(response, flags=final)

    async def _dress(self, request, sender):
        order = _Order(request, self._recipes)
        if not order.live:
            return await self._make(request, order, sender)
        async with self._live:
            with self._stepper.live_under_way():
                return await self._make(request, order, sender)

    async def _make(self, request, order, sender):
        async with self._encoders:
            if sender.is_cancelled():
                raise Cancelled
            began = time.perf_counter()
            encoded, prompt = await asyncio.gather(
                _call("encode", self._encode_inputs(request, order), _ENCODED, request.request_id()),
                _call("text_encoder", [self._input_ids(order)], ["prompt_embeds"], request.request_id()),
            )
            encoded |= prompt
        encoded_at = time.perf_counter()
        report = json.loads(encoded["report"].as_numpy()[0])
        report |= {"mode": "ai_enhanced", "seed": order.seed, "steps": order.recipe.steps}

        if report["mode_reason"] is None:
            job = _Job(
                order, self._schedulers.fresh(order.recipe.scheduler), encoded, sender, request.request_id()
            )
            await self._stepper.run(job)
            stage, latents = "decode", ("latents", job.denoising.latents)
        else:  # nothing to paint: the composite is the answer
            report |= {"mode": "fallback", "steps": 0}
            stage, latents = "postprocess", ("pixels", torch.zeros(1, 3, 8, 8))
        denoised_at = time.perf_counter()

        view = _view(request, order, encoded)
        decoded = await _call(
            stage,
            _decode_inputs(
                latents,
                encoded,
                order.recipe,
                order.output_format,
                self._lights.earlier(order.session, view),
            ),
            ["image", "pixels", "light"] if stage == "decode" else ["image"],
            request.request_id(),
        )
        if stage == "decode" and order.session is not None:
            self._lights.keep(order.session, view, decoded["light"].as_numpy().copy())
        ended = time.perf_counter()
        report["latency_ms"] = {
            "preprocess": _ms(encoded_at - began),
            "denoise": _ms(denoised_at - encoded_at),
            "postprocess": _ms(ended - denoised_at),
            "total": _ms(ended - began),
        }
        outputs = {**encoded, **decoded, "report": _string("report", json.dumps(report))}
        wanted = set(request.requested_output_names()) - {"progress", "preview"}
        return pb_utils.InferenceResponse([outputs[name] for name in wanted if name in outputs])

    def _input_ids(self, order):
        prompt, negative_prompt = self._prompts
        prompt = order.prompt or " ".join(prompt.replace("{fabric}", order.fabric).split())
        prompts = [negative_prompt, prompt] if order.recipe.guided else [prompt]
        input_ids = np.array([tokens.ids for tokens in self._tokenizer.encode_batch(prompts)], np.int32)
        return pb_utils.Tensor("input_ids", input_ids)

    def _encode_inputs(self, request, order):
        return [
            pb_utils.get_input_tensor_by_name(request, "camera_frame"),
            pb_utils.get_input_tensor_by_name(request, "jacket_render"),
            _pose(request),
            pb_utils.get_input_tensor_by_name(request, "client_mask")
            or pb_utils.Tensor("client_mask", np.zeros(1, np.uint8)),
            _string("render_fit", order.render_fit),
            pb_utils.Tensor("resolution", np.array(order.recipe.resolution, np.int32)),
            pb_utils.Tensor("masked", self._masked),
        ]

    async def _predict(self, jobs):
        """The predictions for the next step of every job: one call for all that are alike, side by side."""
        jobs = [job.denoising for job in jobs]
        predictions = [None] * len(jobs)

        async def call(positions):
            batch = stack([jobs[position] for position in positions], self._batch_sizes)
            inputs = [pb_utils.Tensor.from_dlpack(name, tensor) for name, tensor in batch.inputs.items()]
            outputs = await _call(jobs[positions[0]].unet, inputs, ["model_output"])
            parts = batch.split(torch.from_dlpack(outputs["model_output"]))
            for position, part in zip(positions, parts, strict=True):
                predictions[position] = part

        await asyncio.gather(*(call(positions) for positions in alike(jobs)))
        return predictions


class _Order:
    """What a request asks for, beside its pictures."""

    def __init__(self, request, recipes):
        mode = _read(request, "mode")
        if mode not in recipes:
            raise Refused(f"mode is {mode!r}; it must be one of {', '.join(recipes)}")
        try:
            self.recipe = recipes[mode].override(
                **{name: _read(request, name) for name in ("steps", "strength", "guidance_scale")}
            )
        except ValueError as error:
            raise Refused(str(error)) from error
        self.live = mode == "keyframe"
        self.session = _read(request, "session") if self.live else None
        self.render_fit = _read(request, "render_fit") or "auto"
        self.fabric = _read(request, "fabric") or ""
        self.prompt = _read(request, "prompt")
        self.seed = _read(request, "seed") or 0
        self.output_format = _read(request, "output_format") or _FORMATS[mode]
        if self.output_format not in _FORMATS.values():
            raise Refused(f"output_format is {self.output_format!r}; it must be jpeg or png")
        self.preview_interval = _read(request, "preview_interval")
        if self.preview_interval is not None and self.preview_interval < 1:
            raise Refused(f"preview_interval is {self.preview_interval}; it counts steps: 1 or more")


class _Job:
    """A picture under way, as the stepper sees it."""

    def __init__(self, order, scheduler, encoded, sender, request_id):
        self.live = order.live
        self._sender = sender
        self._previews = None
        if order.preview_interval is not None:
            self._previews = Previews(order.preview_interval, _preview_maker(order, encoded, request_id))
        self.denoising = Denoising(
            scheduler,
            order.recipe,
            *(torch.from_dlpack(encoded[name]) for name in ("latent_mean", "latent_std", "latent_mask")),
            torch.from_dlpack(encoded["prompt_embeds"]),
            order.seed,
        )
        self.rows = self.denoising.rows

    @property
    def done(self):
        return self.denoising.done

    def cancelled(self):
        return self._sender.is_cancelled()

    def advance(self, model_output):
        self.denoising.advance(model_output)
        if self.live:
            return
        step, steps = self.denoising.step, self.denoising.steps
        outputs = [pb_utils.Tensor("progress", np.array([step, steps], np.int32))]
        if self._previews:
            if preview := self._previews.take():
                outputs.append(preview)
            self._previews.begin(step, steps, self.denoising.predicted)
        self._sender.send(pb_utils.InferenceResponse(outputs))


def _preview_maker(order, encoded, request_id):
    """Latents to the tensor `preview`: `decode` on a small copy of the frame."""
    names = ("composite", "mask", "crop")
    small = zip(names, shrink(*(encoded[name].as_numpy() for name in names)), strict=True)
    small = {name: pb_utils.Tensor(name, array) for name, array in small}

    async def make(latents):
        try:
            inputs = _decode_inputs(("latents", latents), small, order.recipe, "jpeg")
            # Triton 2.51 takes it for a deadlock when an ensemble is asked for "image" alone.
            image = (await _call("decode", inputs, ["image", "pixels"], request_id))["image"]
        except Exception as error:  # the answer does not depend on it
            pb_utils.Logger.log_warn(f"tryon {request_id}: no preview: {error!r}")
            return None
        return pb_utils.Tensor("preview", image.as_numpy())

    return make


def _decode_inputs(latents, encoded, recipe, output_format, earlier_light=NO_LIGHT):
    return [
        pb_utils.Tensor.from_dlpack(*latents),
        *(encoded[name] for name in ("composite", "mask", "crop")),
        pb_utils.Tensor("relight_sigma", np.array([recipe.relight_sigma], np.float32)),
        pb_utils.Tensor("detail_gain", np.array([recipe.detail_gain], np.float32)),
        pb_utils.Tensor("earlier_light", earlier_light),
        _string("output_format", output_format),
    ]


def _view(request, order, encoded):
    """What this keyframe shows of its session."""
    height, width = encoded["mask"].as_numpy().shape
    crop = tuple(encoded["crop"].as_numpy().tolist())
    choices = order.fabric, order.prompt, order.seed
    return View(choices, (width, height), crop, _pose(request).as_numpy().copy())


def _pose(request):
    """The request's tensor `pose`; all zero where it has none."""
    pose = pb_utils.get_input_tensor_by_name(request, "pose")
    return pose or pb_utils.Tensor("pose", np.zeros((33, 4), np.float32))


async def _call(model, inputs, outputs, request_id=""):
    """The named outputs of one model of the pipeline."""
    call = pb_utils.InferenceRequest(
        model_name=model, inputs=inputs, requested_output_names=list(outputs), request_id=request_id
    )
    response = await call.async_exec()
    if response.has_error():
        raise pb_utils.TritonModelException(response.error().message())
    return {tensor.name(): tensor for tensor in response.output_tensors()}


def _read(request, name):
    """A one-element input as a Python value; None where the request has none."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    value = tensor.as_numpy()[0]
    return value.decode() if isinstance(value, bytes) else value.item()


def _string(name, text):
    return pb_utils.Tensor(name, np.array([text], np.object_))


def _failure(message):
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))


def _ms(seconds):
    return round(1000 * seconds, 1)
