"""The whole export: a checkpoint in, a model repository that Triton can serve out."""

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export import manifest
from export.checkpoint import Checkpoint, fingerprint, load, locate
from export.errors import ExportError
from export.pipeline_config import PipelineConfig, read_config
from export.publish import Staging

STAGES = ("text_encoder", "vae_encoder", "unet", "vae_decoder")
DEFAULT_PRECISION = {"cpu": "fp32", "gpu": "fp16"}

# Told the stage and what is done to it now.
Progress = Callable[[str, str], None]


def export(
    checkpoint: str,
    repository: Path,
    profile: str = "cpu",
    precision: str | None = None,
    on_progress: Progress = lambda stage, doing: None,
) -> tuple[dict[str, Any], bool]:
    """Export `checkpoint` (a diffusers folder or a hub id) into `repository`.

    Returns the manifest, and whether anything was done: what is current is left as it is.
    Raises ExportError, and then the old artefacts stand untouched.
    """
    precision = precision or DEFAULT_PRECISION[profile]
    folder = locate(checkpoint)
    sha256 = fingerprint(folder)
    key = manifest.recipe_key(sha256, profile, precision)
    if manifest.is_current(repository, key):
        current = manifest.read(repository)
        assert current is not None
        return current, False
    try:
        with Staging(repository) as staging:
            on_progress("checkpoint", "load")
            loaded = load(folder)
            config = read_config(folder, loaded.unet.config.sample_size)
            stages = _export_stages(loaded, config, precision, staging, on_progress)
            _write_pipeline(loaded, config, staging.folder("tryon"))
            written = {
                "key": key,
                "checkpoint": {"name": checkpoint, "sha256": sha256},
                "profile": profile,
                "precision": precision,
                "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": manifest.versions(),
                "stages": stages,
                "files": manifest.describe_files(repository, staging.publish()),
            }
        beside = repository / "manifest.json.partial"
        beside.write_text(json.dumps(written, indent=2) + "\n")
        os.replace(beside, repository / "manifest.json")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ExportError(
            f"the disk that holds {repository} is full; free some space and run the export again"
        ) from error
    return written, True


def _export_stages(
    loaded: Checkpoint, config: PipelineConfig, precision: str, staging: Staging, on_progress: Progress
) -> dict[str, Any]:
    from export.onnx_export import OPSET, export_stage
    from export.stages import describe_stages

    stages = {}
    for stage in describe_stages(loaded, config.resolution):
        began = time.perf_counter()
        parity = export_stage(
            stage,
            precision,
            staging.folder(stage.name),
            lambda doing, name=stage.name: on_progress(name, doing),  # type: ignore[misc]
        )
        stages[stage.name] = {
            "opset": OPSET,
            "inputs": {name: ["batch", *tensor.shape[1:]] for name, tensor in stage.example.items()},
            "outputs": list(stage.outputs),
            "parity": asdict(parity),
            "seconds": round(time.perf_counter() - began, 1),
        }
    return stages


def _write_pipeline(loaded: Checkpoint, config: PipelineConfig, folder: Path) -> None:
    """What `tryon` needs: how to sample, the scheduler's configuration, the tokenizer."""
    (folder / "pipeline.json").write_text(config.model_dump_json(indent=2) + "\n")
    (folder / "scheduler_config.json").write_text(json.dumps(dict(loaded.scheduler.config), indent=2) + "\n")
    tokens = loaded.tokenizer.model_max_length
    tokenizer = loaded.tokenizer.backend_tokenizer
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(
        length=tokens, pad_id=loaded.tokenizer.pad_token_id, pad_token=loaded.tokenizer.pad_token
    )
    tokenizer.save(str(folder / "tokenizer.json"))
