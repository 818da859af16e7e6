"""The whole export: from a checkpoint to a model repository that Triton can serve."""

from __future__ import annotations

import copy
import errno
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import engine_config, manifest, memory, served_config, stage_folder
from export.checkpoint import locate
from export.engines import Engines, batch_range
from export.errors import ExportError
from export.interrupt import cleaned, uninterrupted
from export.lora import Lora
from export.pipeline_config import fast_name, with_denoisers
from export.profiles import PROFILES
from export.publish import Staging
from export.recipe_key import recipe_key
from export.tensorrt_engine import BuildProgress, Shapes
from families.family import Loaded
from pipeline.recipe import PipelineConfig, ServedConfig
from serving.exported import write_manifest

if TYPE_CHECKING:  # importing torch takes seconds, and an export with nothing to do does not need it
    from export.lora import Fused
    from export.stages import Stage

# Called with the stage and the step that begins.
Progress = Callable[[str, str], None]
# Called with the names of all stages, as soon as they are known.
Announce = Callable[[Sequence[str]], None]


def export(
    checkpoint: str,
    repository: Path,
    profile: str = "cpu",
    precision: str | None = None,
    on_progress: Progress = lambda stage, doing: None,
    *,
    loras: Sequence[Lora] = (),
    beside: Mapping[str, Path] | None = None,
    engines: Engines | None = None,
    on_build: BuildProgress = lambda phase, done, steps: None,
    on_stages: Announce = lambda names: None,
    request: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Export `checkpoint` (a folder, a file or a hub id) into `repository`.

    loras: fused into a second denoiser, which keyframes then use.
    beside: files that come with the checkpoint, by their names in the family's BESIDE.
    engines: builds TensorRT engines from the ONNX files; None: no engines.
    request: export.request.record of the command line, for the manifest.
    Returns the manifest and whether anything was exported; a current export is left as it is.
    Raises ExportError, and then the old artefacts are unchanged.
    """
    precision = precision or PROFILES[profile].precision
    located = locate(checkpoint, beside)
    sha256, family = located.fingerprint(), located.family
    added = [[*map(manifest.sha256, lora.files), lora.weight] for lora in loras]
    key = recipe_key(
        repository, sha256, profile, precision, added, engines.key if engines else None, family=family.NAME
    )
    if manifest.is_current(repository, key):
        current = manifest.read(repository)
        assert current is not None
        if request is not None and current.get("request") != request:
            # The same artefacts, asked for in other words: of a copy of the checkpoint, for example.
            current |= {"checkpoint": {"name": checkpoint, "sha256": sha256}, "request": dict(request)}
            served_config.write(repository, current)
            write_manifest(repository, current)
        return current, False
    from export.dry_job import check_schedulers  # imports torch

    try:
        with Staging(repository) as staging, cleaned(staging.remove):
            on_progress("checkpoint", "load")
            loaded = located.load()
            tuned, quick = _sorted(loras)
            config = with_denoisers(loaded.config, loaded.stage_names, bool(quick))
            check_schedulers(config, loaded.scheduler_config)
            fast, fused = _with_loras(loaded, tuned, quick, family.TITLE)
            on_stages([*loaded.stage_names, *(it.name for it in fast)])
            work = _Work(repository, profile, precision, staging, engines, on_progress, on_build)
            denoisers = {recipe.unet for recipe in config.modes.values()} | {it.name for it in fast}
            for stage in chain(loaded.stages, fast):
                work.export(stage, denoisers)
            _write_pipeline(loaded, config, family.NAME, profile, staging.folder("tryon"))
            with uninterrupted():
                files = manifest.describe_files(repository, staging.publish())
                written = {
                    "key": key,
                    "checkpoint": {"name": checkpoint, "sha256": sha256},
                    "family": {"name": family.NAME, "title": family.TITLE},
                    "licence": asdict(loaded.licence),
                    "stand_ins": list(loaded.stand_ins),
                    **({} if request is None else {"request": dict(request)}),
                    "profile": profile,
                    "precision": precision,
                    "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "versions": manifest.versions(),
                    "loras": [asdict(lora) for lora in fused],
                    "stages": work.entries,
                    "memory": memory.table(work.measured, config.resolutions),
                    "files": files,
                }
                for name, texts in work.folders.items():
                    stage_folder.write(repository, name, texts)
                stage_folder.remove_others(repository, work.entries, files)
                if profile == "gpu":
                    for name, buckets in work.buckets.items():
                        engine_config.write(repository / name, buckets)
                served_config.write(repository, written)
                write_manifest(repository, written)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ExportError(
            f"the disk with {repository} is full: free some space and run the export again"
        ) from error
    return written, True


class _Work:
    """Exports stages one after another, and keeps what the manifest and the repository say of them.

    It keeps no network but the VAE's encoder, which the check of the decoder needs.
    """

    def __init__(
        self,
        repository: Path,
        profile: str,
        precision: str,
        staging: Staging,
        engines: Engines | None,
        on_progress: Progress,
        on_build: BuildProgress,
    ):
        self._repository, self._staging, self._engines = repository, staging, engines
        self._profile, self._precision = profile, precision
        self._on_progress, self._on_build = on_progress, on_build
        self._encoder: Stage | None = None
        self.entries: dict[str, dict[str, Any]] = {}
        self.buckets: dict[str, Sequence[Shapes]] = {}
        self.folders: dict[str, dict[str, str]] = {}
        self.measured: dict[str, memory.Measured | None] = {}

    def export(self, stage: Stage, denoisers: Collection[str]) -> None:
        if stage.name == "vae_encoder":
            self._encoder = stage
        folder = self._staging.folder(stage.name)
        entry = self._export_onnx(stage, folder)
        onnx = folder / "model.onnx"
        like = stage_folder.template(stage.name, denoisers)
        self.folders[stage.name] = stage_folder.render(
            self._repository, stage.name, like, onnx, stage.max_batch
        )
        self.buckets[stage.name] = stage.buckets
        self.measured[stage.name] = memory.measure(
            onnx, stage.buckets, denoiser=stage.name in denoisers, fused_attention=self._profile == "gpu"
        )
        if self._engines is not None:
            self._on_progress(stage.name, "build")
            entry["engine"] = self._engines.make(
                onnx,
                self._repository / stage.name / "1",
                batch_range(self._repository, like, stage.max_batch),
                stage.buckets,
                self._on_build,
            )
        self.entries[stage.name] = entry

    def _export_onnx(self, stage: Stage, folder: Path) -> dict[str, Any]:
        """Export one stage to ONNX; returns its entry of the manifest.

        The VAE's decoder is exported in single precision if half precision would overflow.
        """
        from export.onnx_export import OPSET, export_stage
        from export.overflow import LIMIT, find_peak, real_latents

        began = time.perf_counter()
        entry: dict[str, Any] = {"precision": stage.precision or self._precision}
        if stage.name == "vae_decoder" and entry["precision"] == "fp16" and self._encoder is not None:
            height, width = self._encoder.example["pixels"].shape[-2:]
            peak = find_peak(stage.module, real_latents(self._encoder.module, (height, width)))
            entry["largest_activation"] = {**asdict(peak), "limit": LIMIT}
            if not peak.fits_half:
                entry["precision"] = "fp32"
        parity = export_stage(
            stage, entry["precision"], folder, lambda doing: self._on_progress(stage.name, doing)
        )
        if self._profile == "gpu":
            from export.torch_program import export_program

            self._on_progress(stage.name, "program")
            entry["program_error"] = export_program(stage, entry["precision"], folder)
        return entry | {
            "live": stage.live,
            "opset": OPSET,
            "buckets": [{name: list(shape) for name, shape in bucket.items()} for bucket in stage.buckets],
            "outputs": list(stage.outputs),
            "parity": asdict(parity),
            "seconds": round(time.perf_counter() - began, 1),
        }


def _sorted(loras: Sequence[Lora]) -> tuple[list[Lora], list[Lora]]:
    """Those of training.finetune, for every mode, and the others, for keyframes."""
    from export.lora import is_tuned

    tuned = [lora for lora in loras if is_tuned(lora.path)]
    return tuned, [lora for lora in loras if lora not in tuned]


def _with_loras(
    loaded: Loaded, tuned: Sequence[Lora], quick: Sequence[Lora], title: str
) -> tuple[list[Stage], list[Fused]]:
    """Fuse the LoRAs: `tuned` into the checkpoint's stages themselves, `quick` into a further stage, the
    denoiser of keyframes. Returns that stage, if there is one, and how each was fused."""
    if not tuned and not quick:
        return [], []
    if loaded.lora is None:
        raise ExportError(f"{title} takes no LoRAs: export it without LORAS")
    from export.lora import fuse, fuse_tuned

    fused = fuse_tuned(loaded.lora.networks, tuned)
    if not quick:
        return [], fused
    network = copy.deepcopy(loaded.lora.network)
    fused += fuse(network, quick)
    stage = loaded.lora.stage(network)
    return [replace(stage, name=fast_name(stage.name))], fused


def _write_pipeline(loaded: Loaded, config: PipelineConfig, family: str, profile: str, folder: Path) -> None:
    """Write what `tryon` reads: the recipes, the scheduler's configuration and the family's files."""
    chosen = PROFILES[profile]
    served = ServedConfig(
        **config.model_dump(),
        family=family,
        settings=dict(loaded.settings),
        batch_sizes=chosen.batch_sizes,
        max_live=chosen.max_live,
    )
    (folder / "pipeline.json").write_text(served.model_dump_json(indent=2) + "\n")
    (folder / "scheduler_config.json").write_text(json.dumps(dict(loaded.scheduler_config), indent=2) + "\n")
    for name, content in loaded.files.items():
        (folder / name).write_bytes(content)
