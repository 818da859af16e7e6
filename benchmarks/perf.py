"""`make perf`: the real perf_analyzer against the running server's models, with real inputs.

    python -m benchmarks.perf                            # starts a stack of its own
    python -m benchmarks.perf --triton localhost:8001    # uses a running one
    python -m benchmarks.perf --models unet decode

Sweeps concurrency over `tryon` (a keyframe), `encode` and `decode`, and the batch size over `unet`. Writes
each sweep's CSV to build/perf/, all rows to benchmarks/results, and a table to benchmarks/README.md.
"""

import argparse
import asyncio
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import np_to_triton_dtype

from benchmarks.command_line import run
from benchmarks.perf_analyzer import PerfAnalyzer, Unstable, locate
from benchmarks.sessions import report
from benchmarks.sessions.record import Record
from benchmarks.stack import ready_stack
from tests.repository import REPOSITORY
from tests.tryon_client import keyframe

ROOT = Path(__file__).resolve().parents[1]
TOKENIZER = REPOSITORY / "tryon" / "1" / "tokenizer.json"
PIPELINE = REPOSITORY / "tryon" / "1" / "pipeline.json"
BATCHES = (1, 2, 4, 8, 16)
TABLE = ("model", "batch", "concurrency", "inferences/s", "p50 ms", "p90 ms", "p99 ms")


async def real_inputs(address: str) -> dict[str, dict[str, np.ndarray]]:
    """Each model's inputs by name, taken from the middle of a recorded keyframe."""
    from tokenizers import Tokenizer

    pipeline = json.loads(PIPELINE.read_text())
    prompt = " ".join(pipeline["prompt"].replace("{fabric}", "denim").split())
    pictures = keyframe("transparent_no_pose")
    known = {
        **pictures,
        "pose": pictures.get("pose", np.zeros((33, 4), np.float32)),
        "client_mask": np.zeros(1, np.uint8),
        "render_fit": np.array([b"auto"], np.object_),
        "mode": np.array([b"keyframe"], np.object_),
        "resolution": np.array(pipeline["resolution"], np.int32),
        "conditioning": np.array([pipeline["conditioning"].encode()], np.object_),
        "earlier_laying": np.array([b""], np.object_),
        "input_ids": np.array([Tokenizer.from_file(str(TOKENIZER)).encode(prompt).ids], np.int32),
        "relight_sigma": np.array([pipeline["keyframe"]["relight_sigma"]], np.float32),
        "detail_gain": np.array([pipeline["keyframe"]["detail_gain"]], np.float32),
        "earlier_light": np.zeros((1, 1, 4), np.float32),
        "occluded": np.zeros(1, bool),
        "with_scene": np.zeros(1, bool),
        "render_parts": np.zeros((1, 2), np.int32),
        "garment_map": np.zeros((1, 1), np.uint8),
        "scene_light": np.zeros((1, 1, 3), np.float32),
        "picture_share": np.zeros(1, np.float32),
        "output_format": np.array([b"jpeg"], np.object_),
    }
    async with InferenceServerClient(address) as client:
        models = {"tryon": {name: known[name] for name in ("camera_frame", "jacket_render", "mode")}}
        models["encode"] = await _inputs(client, "encode", known)
        known |= await _infer(client, "encode", models["encode"])
        known |= await _infer(client, "text_encoder", await _inputs(client, "text_encoder", known))
        latents = known["latent_mean"]
        noise = np.random.default_rng(0).standard_normal(latents.shape, dtype=np.float32)
        known["sample"] = np.concatenate([noise, known["latent_mask"], latents], axis=1)
        known["timestep"] = np.full((1, 1), 999, np.float32)
        known["latents"] = latents
        for model in ("unet", "decode"):
            models[model] = await _inputs(client, model, known)
    return models


async def _inputs(client: InferenceServerClient, model: str, known: dict) -> dict[str, np.ndarray]:
    config = (await client.get_model_config(model)).config
    return {i.name: known[i.name] for i in config.input if i.name in known or not i.optional}


async def _infer(client: InferenceServerClient, model: str, inputs: dict) -> dict[str, np.ndarray]:
    tensors = []
    for name, array in inputs.items():
        tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    result = await client.infer(model, tensors)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def sweep(
    analyzer: PerfAnalyzer, inputs: dict, models: list[str], concurrency: str, folder: Path
) -> list[dict[str, str]]:
    """perf_analyzer's rows, each with its `model` and `batch`; each sweep's CSV goes to `folder`.

    Measurements that do not become stable are reported and left out.
    """
    rows = []
    for model in models:
        for batch in BATCHES if model == "unet" else (1,):
            print(f"perf_analyzer: {model}, batch {batch} …", flush=True)
            path = folder / f"{model}-{batch}.csv"
            try:
                analyzer.run(
                    model,
                    inputs[model],
                    path,
                    batch=batch if model == "unet" else None,
                    concurrency="1" if model == "unet" else concurrency,
                    streaming=model == "tryon",
                )
            except Unstable as error:
                print(error, flush=True)
            if path.exists():
                with path.open() as file:
                    found = sorted(csv.DictReader(file), key=lambda row: int(row["Concurrency"]))
                rows += [{"model": model, "batch": str(batch), **row} for row in found]
    return rows


def in_brief(row: dict[str, str]) -> list[str]:
    """A row of the table."""
    percentiles = [f"{float(row[f'p{percent} latency']) / 1000:.1f}" for percent in (50, 90, 99)]
    throughput = f"{float(row['Inferences/Second']):.1f}"
    return [row["model"], row["batch"], row["Concurrency"], throughput, *percentiles]


def keep(rows: list[dict[str, str]], record: Record) -> None:
    """Write all rows to a CSV next to the record, and the table into the record."""
    record.sections["perf"]["rows"] = [in_brief(row) for row in rows]
    record.write()
    names = dict.fromkeys(name for row in rows for name in row)
    with record.path.with_name(f"{record.path.stem}-perf.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--triton", help="gRPC address of a running Triton; by default a stack is started")
    parser.add_argument("--output", type=Path, default=Path("build/perf"), help="default: %(default)s")
    models = ("tryon", "encode", "unet", "decode")
    parser.add_argument("--concurrency", default="1:8:1", help="first:last:step (default: %(default)s)")
    parser.add_argument("--models", nargs="+", choices=models, default=models, metavar="MODEL")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        command = locate(args.output / "tool")
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"perf_analyzer could not be installed: {error}") from error
    record = Record.of_today()
    record.begin("perf", columns=TABLE)
    with ready_stack(triton_grpc=args.triton) as stack:
        inputs = asyncio.run(real_inputs(stack.triton_grpc))
        analyzer = PerfAnalyzer(command, stack.triton_grpc)
        rows = sweep(analyzer, inputs, args.models, args.concurrency, args.output)
    keep(rows, record)
    report.write(record)
    print(report.table(TABLE, record.sections["perf"]["rows"]))


if __name__ == "__main__":
    sys.exit(run("perf", main))
