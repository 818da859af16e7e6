"""The whole export: from a checkpoint to a model repository that Triton can serve."""

from __future__ import annotations

import copy
import errno
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import engine_config, manifest, served_config, unet_fast
from export.checkpoint import Checkpoint, fingerprint, load, locate
from export.engines import Engines, batch_range
from export.errors import ExportError
from export.interrupt import cleaned, uninterrupted
from export.lora import Lora
from export.pipeline_config import read_config, with_unets
from export.profiles import PROFILES
from export.publish import Staging
from export.recipe_key import recipe_key
from export.tensorrt_engine import BuildProgress
from pipeline.recipe import PipelineConfig, ServedConfig

if TYPE_CHECKING:  # importing torch takes seconds, and an export with nothing to do does not need it
    from export.lora import Fused
    from export.stages import Stage

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")

# Called with the stage and the step that begins.
Progress = Callable[[str, str], None]


def export(
    checkpoint: str,
    repository: Path,
    profile: str = "cpu",
    precision: str | None = None,
    on_progress: Progress = lambda stage, doing: None,
    *,
    loras: Sequence[Lora] = (),
    engines: Engines | None = None,
    on_build: BuildProgress = lambda phase, done, steps: None,
    request: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Export `checkpoint` (a diffusers folder or a hub id) into `repository`.

    loras: fused into a second UNet, which keyframes then use.
    engines: builds TensorRT engines from the ONNX files; None: no engines.
    request: export.request.record of the command line, for the manifest.
    Returns the manifest and whether anything was exported; a current export is left as it is.
    Raises ExportError, and then the old artefacts are unchanged.
    """
    precision = precision or PROFILES[profile].precision
    folder = locate(checkpoint)
    sha256 = fingerprint(folder)
    added = [[*map(manifest.sha256, lora.files), lora.weight] for lora in loras]
    key = recipe_key(repository, sha256, profile, precision, added, engines.key if engines else None)
    if manifest.is_current(repository, key):
        current = manifest.read(repository)
        assert current is not None
        if request is not None and current.get("request") != request:
            # The same artefacts, asked for in other words: of a copy of the checkpoint, for example.
            current |= {"checkpoint": {"name": checkpoint, "sha256": sha256}, "request": dict(request)}
            served_config.write(repository, current)
            manifest.write(repository, current)
        return current, False
    from export.dry_job import check_schedulers  # imports torch

    try:
        with Staging(repository) as staging, cleaned(staging.remove):
            on_progress("checkpoint", "load")
            loaded = load(folder)
            config = with_unets(read_config(folder, loaded.unet.config.sample_size), bool(loras))
            check_schedulers(config, loaded.scheduler.config)
            described, fused = _describe(loaded, config, loras)
            stages = {}
            for stage in described:
                stages[stage.name] = _export_stage(stage, described, precision, staging, on_progress)
                if engines is not None:
                    on_progress(stage.name, "build")
                    stages[stage.name]["engine"] = engines.make(
                        staging.folder(stage.name) / "model.onnx",
                        repository / stage.name / "1",
                        batch_range(repository, stage.name),
                        stage.buckets,
                        on_build,
                    )
            _write_pipeline(loaded, config, profile, staging.folder("tryon"))
            with uninterrupted():
                written = {
                    "key": key,
                    "checkpoint": {"name": checkpoint, "sha256": sha256},
                    **({} if request is None else {"request": dict(request)}),
                    "profile": profile,
                    "precision": precision,
                    "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "versions": manifest.versions(),
                    "loras": [asdict(lora) for lora in fused],
                    "stages": stages,
                    "files": manifest.describe_files(repository, staging.publish()),
                }
                (unet_fast.write if loras else unet_fast.remove)(repository)
                if profile == "gpu":
                    for stage in described:
                        engine_config.write(repository / stage.name, stage.buckets)
                served_config.write(repository, written)
                manifest.write(repository, written)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ExportError(
            f"the disk with {repository} is full: free some space and run the export again"
        ) from error
    return written, True


def _describe(
    loaded: Checkpoint, config: PipelineConfig, loras: Sequence[Lora]
) -> tuple[list[Stage], list[Fused]]:
    """The stages to export, with `unet_fast` if there are LoRAs, and how each LoRA was fused."""
    from export.lora import fuse
    from export.stages import UNet, describe_stages

    stages = describe_stages(loaded, config.resolutions)
    if not loras:
        return stages, []
    unet = copy.deepcopy(loaded.unet)
    fused = fuse(unet, loras)
    like = next(stage for stage in stages if stage.name == "unet")
    return [*stages, replace(like, name=unet_fast.NAME, module=UNet(unet))], fused


def _export_stage(
    stage: Stage, stages: list[Stage], precision: str, staging: Staging, on_progress: Progress
) -> dict[str, Any]:
    """Export one stage to ONNX; returns its entry of the manifest.

    The VAE's decoder is exported in single precision if half precision would overflow.
    """
    from export.onnx_export import OPSET, export_stage
    from export.overflow import LIMIT, find_peak, real_latents

    began = time.perf_counter()
    entry: dict[str, Any] = {"precision": precision}
    if stage.name == "vae_decoder" and precision == "fp16":
        encoder = next(other for other in stages if other.name == "vae_encoder")
        height, width = encoder.example["pixels"].shape[-2:]
        peak = find_peak(stage.module, real_latents(encoder.module, (height, width)))
        entry["largest_activation"] = {**asdict(peak), "limit": LIMIT}
        if not peak.fits_half:
            entry["precision"] = "fp32"
    parity = export_stage(
        stage,
        entry["precision"],
        staging.folder(stage.name),
        lambda doing: on_progress(stage.name, doing),
    )
    return entry | {
        "opset": OPSET,
        "buckets": [{name: list(shape) for name, shape in bucket.items()} for bucket in stage.buckets],
        "outputs": list(stage.outputs),
        "parity": asdict(parity),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _write_pipeline(loaded: Checkpoint, config: PipelineConfig, profile: str, folder: Path) -> None:
    """Write what `tryon` reads: the recipes, the scheduler's configuration and the tokenizer."""
    chosen = PROFILES[profile]
    served = ServedConfig(**config.model_dump(), batch_sizes=chosen.batch_sizes, max_live=chosen.max_live)
    (folder / "pipeline.json").write_text(served.model_dump_json(indent=2) + "\n")
    (folder / "scheduler_config.json").write_text(json.dumps(dict(loaded.scheduler.config), indent=2) + "\n")
    tokens = loaded.tokenizer.model_max_length
    tokenizer = loaded.tokenizer.backend_tokenizer
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(
        length=tokens, pad_id=loaded.tokenizer.pad_token_id, pad_token=loaded.tokenizer.pad_token
    )
    tokenizer.save(str(folder / "tokenizer.json"))
