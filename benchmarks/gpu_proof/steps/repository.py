"""Step 3, prepared: a model repository whose networks are written here, since 2 GB cannot be carried.

It is what an export for profile gpu leaves for torch, without ONNX.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import torch

from benchmarks.gpu_proof.figures import Recorded
from benchmarks.gpu_proof.sizes import Size, describe_stages
from benchmarks.gpu_proof.steps.step import precision, size_of
from export import served_config
from export.profiles import PROFILES
from export.program_file import write_program
from families.sd_inpainting.recipes import default_config
from pipeline.recipe import ServedConfig
from serving.stages.torch_runtime import NAME

HAND_WRITTEN = Path("model_repository")
FOLDER = "model_repository"
_SCHEDULER = {"beta_schedule": "scaled_linear", "clip_sample": False, "steps_offset": 1}


def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    size, repository = size_of(args), args.work / FOLDER
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(
        HAND_WRITTEN,
        repository,
        ignore=shutil.ignore_patterns(
            "model.onnx*", "model.plan*", "model.pt2", "manifest.json", "__pycache__"
        ),
    )
    rows = torch.export.Dim("batch", min=1, max=63)  # as the export: more rows are another graph
    stages = describe_stages(size, precision(args), args.device)
    for stage in stages:
        began = time.perf_counter()
        folder = repository / stage.name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        dynamic = {name: {0: rows} for name in stage.example}
        stage.module.cpu()
        write_program(stage, dynamic, folder)
        recorded.figures.seconds[stage.name] = round(time.perf_counter() - began, 1)
        recorded.figures.bytes[stage.name] = (folder / NAME).stat().st_size
        recorded.write()
    _describe(size, [stage.name for stage in stages], repository, args)


def _describe(size: Size, names: list[str], repository: Path, args: argparse.Namespace) -> None:
    """What `tryon` and the server read beside the networks."""
    entry = repository / "tryon" / "1"
    config = default_config([side // 8 for side in size.resolution])
    chosen = PROFILES["gpu"]
    served = ServedConfig(**config.model_dump(), batch_sizes=chosen.batch_sizes, max_live=chosen.max_live)
    (entry / "pipeline.json").write_text(served.model_dump_json(indent=2))
    (entry / "scheduler_config.json").write_text(json.dumps(_SCHEDULER))
    # Random networks read any words alike; those of lucy-tiny's vocabulary are within theirs.
    shutil.copy(args.data / "tokenizer.json", entry)
    manifest = {
        "profile": "gpu",
        "precision": "fp16" if args.device == "cuda" else "fp32",
        "checkpoint": {"name": "random weights"},
        "family": {"name": "sd_inpainting", "title": "Stable Diffusion inpainting"},
        "stages": {name: {} for name in names},
        "files": {},
    }
    (repository / "manifest.json").write_text(json.dumps(manifest))
    served_config.write(repository, manifest)
