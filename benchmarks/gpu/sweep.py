"""Measures every engine on every stage, batch and resolution, and on whole pictures."""

import argparse
import gc
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.gpu.denoising import MODES, denoise
from benchmarks.gpu.device import describe_device, floor, gpu_memory_used, measure_device, milliseconds
from benchmarks.gpu.engines import ENGINES, Run, Skipped
from benchmarks.gpu.networks import make_inputs, make_networks


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
    """The bound run and its median in milliseconds; None for both if the memory is too small."""
    try:
        run = bind()
        return run, milliseconds(run, args.device, args.budget)
    except Exception as error:  # each library raises its own error
        if not any(word in str(error).lower() for word in ("out of memory", "allocat")):
            raise
        return None, None


def sweep(args: argparse.Namespace) -> dict[str, Any]:
    """Measure everything and return the report. A missing or failing engine is reported and skipped."""
    dtype = torch.float16 if args.device == "cuda" else torch.float32
    rates = measure_device(args.device, dtype, args.budget)
    report: dict[str, Any] = {
        "device": describe_device(args.device, args.tiny),
        "rates": rates,
        "skipped": {},
    }
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
