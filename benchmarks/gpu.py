"""What the networks of Stable Diffusion 1.5 inpainting cost on this GPU, stage by stage and end to end.

    python benchmarks/gpu.py                              # all that is installed; an hour or so
    python benchmarks/gpu.py --engines eager,cuda_graph --batches 1,4
    python benchmarks/gpu.py --tiny                       # proves the script on any machine, measures nothing

One file that runs alone: it needs torch and diffusers, takes onnxruntime-gpu and tensorrt where they are
(both want onnx and onnxscript), and says what it skips. The weights are random: time does not depend on them.

Every stage is held against two floors, of which the higher counts: its FLOPs at the matrix rate, and the
bytes that it must move (weights once, inputs, outputs) at the bandwidth, both as measured on this device.
"""

import argparse
import gc
import importlib.metadata
import json
import platform
import statistics
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

MODES = {"keyframe": {"steps": 4, "rows": 1}, "capture": {"steps": 25, "rows": 2}}  # 2: with guidance
TOKENS = 77
Inputs = dict[str, Tensor]
Run = Callable[[], Tensor]  # reads the inputs that it was bound to, wherever they were last written


# --- the networks -------------------------------------------------------------------------------------


class Encoder(nn.Module):
    """pixels (B, 3, H, W) → latents' mean (B, 4, H/8, W/8)."""

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor) -> Tensor:
        return self.vae.encode(pixels).latent_dist.mean


class UNet(nn.Module):
    """sample (B, 9, H/8, W/8), timestep (B,), prompt_embeds (B, 77, D) → prediction (B, 4, H/8, W/8)."""

    def __init__(self, unet: Any):
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, prompt_embeds: Tensor) -> Tensor:
        return self.unet(sample, timestep, prompt_embeds, return_dict=False)[0]


class Decoder(nn.Module):
    """latents (B, 4, H/8, W/8) → pixels (B, 3, H, W)."""

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


def make_networks(tiny: bool, device: str, dtype: torch.dtype) -> dict[str, nn.Module]:
    """Of the architecture of stable-diffusion-v1-5/stable-diffusion-inpainting, or as small as can be."""
    torch.manual_seed(0)
    widths, vae_widths = (
        ((32, 64), (32, 32, 32, 32)) if tiny else ((320, 640, 1280, 1280), (128, 256, 512, 512))
    )
    crossing = len(widths) - 1
    unet = UNet2DConditionModel(
        in_channels=9,
        block_out_channels=widths,
        down_block_types=("CrossAttnDownBlock2D",) * crossing + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * crossing,
        attention_head_dim=8,
        cross_attention_dim=32 if tiny else 768,
        layers_per_block=1 if tiny else 2,
    )
    vae = AutoencoderKL(
        block_out_channels=vae_widths,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1 if tiny else 2,
    )
    networks = {"vae_encoder": Encoder(vae), "unet": UNet(unet), "vae_decoder": Decoder(vae)}
    return {name: it.eval().requires_grad_(False).to(device, dtype) for name, it in networks.items()}


def make_inputs(stage: str, network: nn.Module, resolution: tuple[int, int], batch: int) -> Inputs:
    weight = next(network.parameters())
    height, width = resolution[0] // 8, resolution[1] // 8

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, device=weight.device, dtype=weight.dtype)

    if stage == "vae_encoder":
        return {"pixels": normal(3, 8 * height, 8 * width)}
    if stage == "vae_decoder":
        return {"latents": normal(4, height, width)}
    width_of_embeds = network.unet.config.cross_attention_dim
    timestep = torch.full((batch,), 500.0, device=weight.device, dtype=weight.dtype)
    sample, prompt_embeds = normal(9, height, width), normal(TOKENS, width_of_embeds)
    return {"sample": sample, "timestep": timestep, "prompt_embeds": prompt_embeds}


# --- the engines: each is made once for a network and a resolution, and bound to inputs of any batch --------


class Skipped(Exception):
    """This machine has not what the engine needs."""


class Eager:
    """diffusers as it comes."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        self.network = network

    def bind(self, inputs: Inputs) -> Run:
        return lambda: self.network(**inputs)


class Compiled(Eager):
    """torch.compile, without CUDA graphs of its own."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        torch._dynamo.reset()
        self.network = torch.compile(network, fullgraph=True, dynamic=False)


class CudaGraph(Eager):
    """The eager kernels, launched as one graph."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        if not torch.cuda.is_available():
            raise Skipped("CUDA graphs need a GPU")
        super().__init__(network, largest, folder)

    def bind(self, inputs: Inputs) -> Run:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):  # cuDNN chooses its kernels before the capture
            for _ in range(3):
                self.network(**inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self.network(**inputs)

        def run() -> Tensor:
            graph.replay()
            return output

        return run


class OnnxRuntime:
    """ONNX Runtime, inputs and outputs where they lie on the device."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        try:
            import onnxruntime
        except ImportError as error:
            raise Skipped(f"no onnxruntime ({error})") from error
        device = next(iter(largest.values())).device.type
        provider = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise Skipped(f"this onnxruntime has no {provider}: install onnxruntime-gpu")
        self.session = onnxruntime.InferenceSession(
            write_onnx(network, largest, folder), providers=[provider]
        )
        self.network = network

    def bind(self, inputs: Inputs) -> Run:
        output = contiguous_output(self.network, inputs)
        binding = self.session.io_binding()
        [output_name] = [it.name for it in self.session.get_outputs()]
        for name, tensor in {**inputs, output_name: output}.items():
            bind = binding.bind_output if tensor is output else binding.bind_input
            kind = torch.empty(0, dtype=tensor.dtype).numpy().dtype
            bind(name, tensor.device.type, 0, kind, tuple(tensor.shape), tensor.data_ptr())

        def run() -> Tensor:
            self.session.run_with_iobinding(binding)
            return output

        return run


class TensorRT:
    """A strongly typed engine with the batch range that is served: 1 to the most, tuned for 4."""

    def __init__(self, network: nn.Module, largest: Inputs, folder: Path):
        if not torch.cuda.is_available():
            raise Skipped("TensorRT needs a GPU")
        try:
            import tensorrt as trt
        except ImportError as error:
            raise Skipped(f"no tensorrt ({error})") from error
        logger = trt.Logger(trt.Logger.ERROR)
        builder = trt.Builder(logger)
        definition = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(definition, logger)
        if not parser.parse_from_file(write_onnx(network, largest, folder)):
            raise RuntimeError(parser.get_error(0).desc())
        config, profile = builder.create_builder_config(), builder.create_optimization_profile()
        for name, tensor in largest.items():
            most, *shape = tensor.shape
            profile.set_shape(name, *((rows, *shape) for rows in (1, min(4, most), most)))
        config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(definition, config)
        self.engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
        self.network = network

    def bind(self, inputs: Inputs) -> Run:
        output = contiguous_output(self.network, inputs)
        context = self.engine.create_execution_context()
        for name, tensor in inputs.items():
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        context.set_tensor_address("output", output.data_ptr())

        def run() -> Tensor:
            context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
            return output

        return run


ENGINES: dict[str, Any] = {
    "eager": Eager,
    "compile": Compiled,
    "cuda_graph": CudaGraph,
    "onnxruntime": OnnxRuntime,
    "tensorrt": TensorRT,
}


def contiguous_output(network: nn.Module, inputs: Inputs) -> Tensor:
    """A place for the output, row by row, as engines write; torch's own may be permuted in memory."""
    return torch.empty_like(network(**inputs), memory_format=torch.contiguous_format)


def write_onnx(network: nn.Module, largest: Inputs, folder: Path) -> str:
    """`folder`/model.onnx with a dynamic batch, written once."""
    path = folder / "model.onnx"
    if not path.exists():
        try:
            import onnxscript  # noqa: F401  (what torch exports with)
        except ImportError as error:
            raise Skipped(f"no onnxscript, which torch exports ONNX with ({error})") from error
        batch = torch.export.Dim("batch", min=1, max=64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
            program = torch.onnx.export(
                network,
                kwargs=largest,
                input_names=list(largest),
                output_names=["output"],
                dynamic_shapes={name: {0: batch} for name in largest},
                opset_version=20,
                dynamo=True,
                verbose=False,
            )
        folder.mkdir(parents=True, exist_ok=True)
        program.save(path, external_data=True)
    return str(path)


# --- measuring ----------------------------------------------------------------------------------------


def milliseconds(run: Callable[[], object], device: str, budget: float) -> float:
    """The median over about `budget` seconds, 5 runs at least, after 3 that do not count; of 0 s, one run."""
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < (8 if budget else 1) or time.perf_counter() - began < budget:
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[3:] or times)


def measure_device(device: str, dtype: torch.dtype, budget: float) -> dict[str, float]:
    """The matrix rate in FLOP/s and the bandwidth in byte/s, of which the floors are made."""
    side = 8192 if device == "cuda" else 512
    square = torch.randn(side, side, device=device, dtype=dtype)
    product = torch.empty_like(square)
    matrix = milliseconds(lambda: torch.matmul(square, square, out=product), device, budget)
    source = torch.empty((1 << 30) if device == "cuda" else (1 << 26), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = milliseconds(lambda: target.copy_(source), device, budget)
    return {"flops_per_s": 2 * side**3 / matrix * 1e3, "bytes_per_s": 2 * source.nbytes / copy * 1e3}


def floor(network: nn.Module, inputs: Inputs, rates: dict[str, float]) -> dict[str, float]:
    """The least time that this call can take on this device, in milliseconds."""
    with FlopCounterMode(display=False) as counter:
        output = network(**inputs)
    moved = (*network.parameters(), *inputs.values(), output)
    compute = 1e3 * counter.get_total_flops() / rates["flops_per_s"]
    memory = 1e3 * sum(it.nbytes for it in moved) / rates["bytes_per_s"]
    return {"compute_ms": compute, "memory_ms": memory, "floor_ms": max(compute, memory)}


def gpu_memory_used() -> int | None:
    """Bytes in use on the whole device: torch does not see what the other engines take."""
    if not torch.cuda.is_available():
        return None
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return total - free


def denoise(mode: str, runs: dict[str, Run], inputs: dict[str, Inputs], users: int) -> Tensor:
    """A picture for every user: encode, the mode's steps, decode. Serving caches the text's embeddings."""
    steps, guided = MODES[mode]["steps"], MODES[mode]["rows"] == 2
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1)
    scheduler.set_timesteps(steps)
    encoded = runs["vae_encoder"]()  # (2 users, 4, H/8, W/8): the composites, then the conditioning pictures
    latents = encoded[:users].clone()
    sample, timestep = inputs["unet"]["sample"], inputs["unet"]["timestep"]
    sample[:, 5:] = encoded[users:].repeat(MODES[mode]["rows"], 1, 1, 1)
    for step in scheduler.timesteps:
        sample[:, :4] = latents.repeat(MODES[mode]["rows"], 1, 1, 1)
        timestep.fill_(float(step))
        prediction = runs["unet"]()
        if guided:
            negative, positive = prediction.chunk(2)
            prediction = negative + 5 * (positive - negative)
        latents = scheduler.step(prediction, step, latents).prev_sample
    inputs["vae_decoder"]["latents"].copy_(latents)
    return runs["vae_decoder"]()


# --- the sweep ----------------------------------------------------------------------------------------


def measure_stages(
    made: dict[str, Any],
    networks: dict[str, nn.Module],
    resolution: tuple[int, int],
    args: argparse.Namespace,
) -> Iterator[dict[str, Any]]:
    before = gpu_memory_used()
    for stage, network in networks.items():
        for batch in args.batches:
            inputs = make_inputs(stage, network, resolution, batch)
            run, ms = attempt(partial(made[stage].bind, inputs), args)
            used = None if before is None else (gpu_memory_used() or 0) - before
            del run, inputs
            yield {"stage": stage, "batch": batch, "ms": ms, "memory_bytes": used}


def measure_modes(
    made: dict[str, Any],
    networks: dict[str, nn.Module],
    resolution: tuple[int, int],
    args: argparse.Namespace,
) -> Iterator[dict[str, Any]]:
    def bind(mode: str, users: int) -> Run:
        rows = {"vae_encoder": 2 * users, "unet": users * MODES[mode]["rows"], "vae_decoder": users}
        inputs = {stage: make_inputs(stage, networks[stage], resolution, rows[stage]) for stage in rows}
        runs = {stage: made[stage].bind(inputs[stage]) for stage in rows}
        return lambda: denoise(mode, runs, inputs, users)

    for mode in MODES:
        for users in args.users:
            if 2 * users <= max(args.batches):
                yield {"mode": mode, "users": users, "ms": attempt(partial(bind, mode, users), args)[1]}


def attempt(bind: Callable[[], Run], args: argparse.Namespace) -> tuple[Run | None, float | None]:
    """What was bound, and its median in milliseconds; None where the memory does not hold it."""
    try:
        run = bind()
        return run, milliseconds(run, args.device, args.budget)
    except Exception as error:  # each library has an error of its own for it
        if not any(word in str(error).lower() for word in ("out of memory", "allocat")):
            raise
        return None, None


def sweep(args: argparse.Namespace) -> dict[str, Any]:
    """The report. An engine that is missing or fails is left out, and said so: an hour's run goes on."""
    dtype = torch.float16 if args.device == "cuda" else torch.float32
    rates = measure_device(args.device, dtype, args.budget)
    report: dict[str, Any] = {"device": describe_device(args), "rates": rates, "skipped": {}}
    floors, stages, modes = (report.setdefault(it, []) for it in ("floors", "stages", "end_to_end"))
    networks = make_networks(args.tiny, args.device, dtype)
    for resolution in args.resolutions:
        size = {"resolution": f"{resolution[0]}x{resolution[1]}"}
        for stage, network in networks.items():
            for batch in args.batches:
                least = floor(network, make_inputs(stage, network, resolution, batch), rates)
                floors.append({**size, "stage": stage, "batch": batch, **least})
        for name in args.engines:
            common = {"engine": name, **size}
            with tempfile.TemporaryDirectory() as folder:
                try:
                    made = {
                        stage: ENGINES[name](
                            network,
                            make_inputs(stage, network, resolution, max(args.batches)),
                            Path(folder, stage),
                        )
                        for stage, network in networks.items()
                    }
                    for entry in measure_stages(made, networks, resolution, args):
                        stages.append(common | entry)
                        say(stages[-1])
                    for entry in measure_modes(made, networks, resolution, args):
                        modes.append(common | entry)
                        say(modes[-1])
                except Skipped as reason:
                    report["skipped"][name] = str(reason)
                    print(f"{name} is skipped: {reason}", flush=True)
                except Exception as error:
                    report["skipped"][f"{name} {size['resolution']}"] = f"failed: {error!r}"
                    traceback.print_exc()
                made = {}
                gc.collect()
    return report


def say(entry: dict[str, Any]) -> None:
    what = entry.get("stage") or f"{entry['mode']}, whole"
    count = f"batch {entry['batch']}" if "batch" in entry else f"{entry['users']} users"
    ms = "out of memory" if entry["ms"] is None else f"{entry['ms']:.2f} ms"
    print(f"{entry['engine']:<12} {entry['resolution']:<9} {what:<16} {count:<9} {ms:>14}", flush=True)


def describe_device(args: argparse.Namespace) -> dict[str, Any]:
    versions = {}
    for package in ("torch", "diffusers", "onnxruntime", "onnxruntime-gpu", "tensorrt"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    cuda = args.device == "cuda"
    return {
        "name": torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU",
        "precision": "fp16" if cuda else "fp32",
        "networks": "tiny: the figures mean nothing" if args.tiny else "Stable Diffusion 1.5 inpainting",
        "versions": versions,
    }


def plot(report: dict[str, Any], path: Path) -> None:
    """Each stage's time over the batch beside its floor, and whole pictures, one row for each resolution."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sizes = list(dict.fromkeys(it["resolution"] for it in report["floors"]))
    panels = [("stage", it) for it in ("vae_encoder", "unet", "vae_decoder")] + [("mode", it) for it in MODES]
    figure, axes = plt.subplots(
        len(sizes), len(panels), figsize=(4 * len(panels), 3.4 * len(sizes)), squeeze=False
    )
    for row, size in zip(axes, sizes, strict=True):
        for axis, (kind, what) in zip(row, panels, strict=True):
            rows, count = ("stages", "batch") if kind == "stage" else ("end_to_end", "users")
            found = [it for it in report[rows] if (it["resolution"], it[kind]) == (size, what) and it["ms"]]
            for name in ENGINES:
                line = [(it[count], it["ms"]) for it in found if it["engine"] == name]
                if line:
                    axis.plot(*zip(*line, strict=True), marker="o", label=name)
            least = [it for it in report["floors"] if (it["resolution"], it["stage"]) == (size, what)]
            if kind == "stage":
                counts, times = [it["batch"] for it in least], [it["floor_ms"] for it in least]
                axis.plot(counts, times, color="black", linestyle=":", label="floor")
            axis.set(title=f"{what}, {size}", xlabel=count, ylabel="ms", ylim=(0, None))
            if axis.get_legend_handles_labels()[1]:
                axis.legend(fontsize=8)
    figure.suptitle(
        f"{report['device']['name']}, {report['device']['precision']}, {report['device']['networks']}"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", type=lambda text: text.split(","), default=list(ENGINES))
    parser.add_argument("--batches", type=_numbers, default=[1, 2, 4, 8, 16])
    parser.add_argument("--users", type=_numbers, default=[1, 4, 8], help="of whole pictures; two rows each")
    parser.add_argument(
        "--resolutions", type=_sizes, default=[(512, 512), (768, 1024)], help="512x512,768x1024"
    )
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of each figure")
    parser.add_argument("--tiny", action="store_true", help="the least networks: a test of this script")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="and a plot beside it")
    args = parser.parse_args(argv)
    args.device = "cuda" if torch.cuda.is_available() else "cpu"
    if args.device == "cpu" and not args.tiny:
        parser.error("there is no GPU here; --tiny proves the script without one")
    if unknown := set(args.engines) - set(ENGINES):
        parser.error(f"no engine is called {unknown.pop()}; there are {', '.join(ENGINES)}")
    with torch.no_grad():
        report = sweep(args)
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    try:
        plot(report, args.output.with_suffix(".png"))
    except ImportError as error:
        print(f"no plot: {error}")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _sizes(text: str) -> list[tuple[int, int]]:
    return [(int(height), int(width)) for height, width in (part.split("x") for part in text.split(","))]


if __name__ == "__main__":
    main()
