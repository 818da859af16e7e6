"""The quality of the default checkpoint: photographed targets compared with the real server's answers.

    python -m benchmarks.checkpoint                # starts the stack
    python -m benchmarks.checkpoint --scenes 16    # a quick look

Writes two contact sheets (composite, 4 steps, 25 steps, photograph) and the figures to build/checkpoint/.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.command_line import run
from benchmarks.portrait import encode
from benchmarks.provenance import provenance
from benchmarks.stack import ready_stack
from serving.cpu_settings import CpuSettings
from serving.stages.measured import measured_runtime
from serving.stages.runtime import ONNX_RUNTIME, choose_runtime, open_stage
from tests.repository import REPOSITORY
from tests.tryon_client import Tryon
from training.lucy_tiny.evaluation import FIRST_SCENE, evaluate

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")
CAPTURE_STEPS = 25


class ServedPipeline:
    """`training.lucy_tiny.evaluation.Dress`, implemented with the running server's `tryon` model."""

    def __init__(self, runner, tryon):
        self._runner, self._tryon = runner, tryon

    def __call__(self, frame, render, landmarks, prompt, steps):
        pictures = {
            "camera_frame": np.frombuffer(encode(frame, ".png"), np.uint8),
            "jacket_render": np.frombuffer(encode(render, ".png"), np.uint8),
            "pose": landmarks.astype(np.float32),
        }
        mode = "capture" if steps == CAPTURE_STEPS else "keyframe"
        answer = self._runner.run(
            self._tryon.dress(pictures, mode, steps=steps, prompt=prompt, output_format="png")
        )
        assert answer["report"]["mode"] == "ai_enhanced", answer["report"]
        return cv2.imdecode(answer["image"], cv2.IMREAD_COLOR)[..., ::-1]


def stage_milliseconds(rounds=30):
    """The median time of each stage alone, with one row, on ONNX Runtime and on this machine's runtime."""
    found = {}
    for stage in STAGES:
        model = REPOSITORY / stage / "1" / "model.onnx"
        chosen = choose_runtime(CpuSettings().cpu_runtime, measured_runtime(model))
        found[stage] = {
            str(runtime): _milliseconds(open_stage(model, runtime), rounds)
            for runtime in dict.fromkeys((ONNX_RUNTIME, chosen))
        }
    return found


def _milliseconds(stage, rounds):
    durations, feed = [], stage.smallest_inputs()
    for _ in range(rounds + 3):
        began = time.perf_counter()
        stage.run(feed)
        durations.append(time.perf_counter() - began)
    return round(1000 * statistics.median(durations[3:]), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=64, help="of either set (default: %(default)s)")
    parser.add_argument(
        "--first-scene", type=int, default=FIRST_SCENE, help="its seed (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("build/checkpoint"), help="default: %(default)s")
    args = parser.parse_args()
    report = provenance() | {
        "scenes": args.scenes,
        "first_scene": args.first_scene,
        "stage_ms": stage_milliseconds(),
    }
    with ready_stack() as stack, asyncio.Runner() as runner:
        connection = Tryon.connect(stack.triton_grpc)
        tryon = runner.run(connection.__aenter__())
        try:
            report |= evaluate(ServedPipeline(runner, tryon), args.scenes, args.output, args.first_scene)
        finally:
            runner.run(connection.__aexit__(None, None, None))
    (args.output / "checkpoint.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    sys.exit(run("eval-tiny", main))
