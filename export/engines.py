"""TensorRT engines for the exported stages: built, refitted, or kept if the old engine still fits."""

import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from export.errors import ExportError
from export.stamps import stamp_of
from export.tensorrt_engine import (
    BatchRange,
    BuildOptions,
    BuildProgress,
    Shapes,
    build_engine,
    describe_layers,
    refit_engine,
)
from serving import engine_stamp
from serving.engine_stamp import Stamp
from serving.errors import CannotServe
from serving.gpu import Gpu, query_gpus
from serving.model_config import read_model_config
from serving.paths import cache_folder
from serving.tensorrt_package import import_tensorrt, import_tensorrt_rtx, rtx_fault

logger = logging.getLogger(__name__)

LAYERS = "model.plan.layers.json"
# The batch size that TensorRT tunes an engine for: rows of several users share a UNet call.
BEST_BATCH = {"unet": 4}
# An engine for many rows is tuned for few, too: one user's keyframe has 1 row, or 2 with guidance.
FEW_ROWS = BatchRange(1, 1, 2)
# The share of the GPU's memory that the weights of one engine may take for that.
PLAN_SHARE = 0.25


@dataclass(frozen=True)
class Engines:
    """Builds engines on this machine's first GPU.

    cache: a folder that keeps TensorRT's kernel timings between builds.
    """

    trt: Any
    gpu: Gpu
    cache: Path
    workspace_bytes: int | None = None
    refittable: bool = False

    @property
    def key(self) -> list[str]:
        """The part of this that decides whether old engines can be kept."""
        return [self.trt.__version__, self.gpu.compute_capability, str(self.refittable)]

    def make(
        self,
        onnx: Path,
        served: Path,
        batch: BatchRange,
        buckets: Sequence[Shapes],
        on_progress: BuildProgress,
    ) -> dict[str, Any]:
        """Write `model.plan`, its stamp and its layers' report beside `onnx`; returns the manifest's entry.

        buckets: the inputs' shapes without the batch, once for each resolution.
        served: the folder with the engine of the previous export, if any; it is only read.
        Raises ExportError.
        """
        began = time.perf_counter()
        batches = tuned_ranges(batch)
        if len(batches) > 1 and not self._has_room(onnx, len(batches) * len(buckets)):
            batches = [batch]
        wanted = stamp_of(self.trt.__version__, self.gpu, onnx, batches, buckets, self.refittable)
        old = _old_stamp(served)
        if old is not None and old.fits(wanted):
            how, kept = "kept", old
            for name in ("model.plan", LAYERS):
                if (served / name).exists():
                    shutil.copyfile(served / name, onnx.with_name(name))
        else:
            kept = wanted
            plan: bytes | None = None
            if old is not None and old.can_be_refitted(wanted):
                how, plan = "refitted", self._refit(served / "model.plan", onnx)
            if plan is None:
                how, plan = (
                    "built",
                    build_engine(self.trt, onnx, batches, buckets, self._options(on_progress)),
                )
            onnx.with_name("model.plan").write_bytes(plan)
            onnx.with_name(LAYERS).write_text(describe_layers(self.trt, plan))
        kept.write(onnx.parent)
        return {"how": how, "seconds": round(time.perf_counter() - began, 1), **asdict(kept)}

    def _has_room(self, onnx: Path, profiles: int) -> bool:
        """Whether so many profiles fit, if the kernels of each want the weights in a layout of their own."""
        weights = sum(path.stat().st_size for path in onnx.parent.glob(f"{onnx.name}*"))
        return profiles * weights <= self.gpu.memory_total * 2**20 * PLAN_SHARE

    def _refit(self, plan: Path, onnx: Path) -> bytes | None:
        """The refitted engine; None if TensorRT refuses."""
        try:
            return refit_engine(self.trt, plan.read_bytes(), onnx)
        except ExportError as error:
            logger.warning("%s; the engine is built from scratch", error)
            return None

    def _options(self, on_progress: BuildProgress) -> BuildOptions:
        # Timings are valid for one GPU type and one TensorRT version; TensorRT refuses others.
        name = f"{self.gpu.compute_capability}-{self.trt.__version__}.timing"
        return BuildOptions(
            workspace_bytes=self.workspace_bytes,
            refittable=self.refittable,
            timing_cache=self.cache / name,
            on_progress=on_progress,
        )


def find_engines(
    workspace_gb: float | None = None, refittable: bool = False, required: bool = False
) -> Engines | None:
    """The builder of engines; None if this machine cannot build any and none are `required`.

    Raises ExportError if they are required, and says what is missing.
    """
    found = _find()
    if isinstance(found, str):
        if required:
            raise ExportError(found)
        logger.warning("no TensorRT engines: %s", found)
        return None
    trt, gpu = found
    workspace = int(workspace_gb * 2**30) if workspace_gb else None
    return Engines(trt, gpu, cache_folder(), workspace, refittable)


def _find() -> tuple[Any, Gpu] | str:
    """TensorRT and the GPU to build on, or the reason why there are none."""
    gpus = query_gpus()
    if not gpus:
        return (
            "nvidia-smi finds no GPU to build them on: install the driver, give the container the GPU, or "
            "give ENGINES=0 for only ONNX"
        )
    try:
        return import_tensorrt(), gpus[0]
    except ImportError as error:
        fault = str(error)
    with suppress(ImportError):
        if rtx_fault(gpus[0].compute_capability) is None:
            return import_tensorrt_rtx(), gpus[0]
    return (
        f"this machine has a GPU ({gpus[0].name}) but no tensorrt package ({fault}): `pip install tensorrt`, "
        "or export inside the image that serves (`docker compose run export-gpu`), or give ENGINES=0"
    )


def batch_range(repository: Path, template: str, most: int | None = None) -> BatchRange:
    """The batches that the engine of a stage takes. Raises ExportError if its config.pbtxt names none.

    template: the hand-written stage whose config.pbtxt it has. most: rows, if fewer than that file's
    `max_batch_size`.
    """
    model = repository / template
    try:
        configured = read_model_config(model).max_batch_size
    except (OSError, text_format.ParseError) as error:
        raise ExportError(f"{model / 'config.pbtxt'} cannot be read: {error}") from error
    if configured < 1:
        raise ExportError(f"{model / 'config.pbtxt'} has no max_batch_size, which the engine needs")
    most = configured if most is None else min(most, configured)
    return BatchRange(1, min(BEST_BATCH.get(template, 1), most), most)


def tuned_ranges(batch: BatchRange) -> list[BatchRange]:
    """The batches that an engine is tuned for. Triton chooses the range whose best size is nearest."""
    return [FEW_ROWS, batch] if batch.best > FEW_ROWS.most else [batch]


def _old_stamp(served: Path) -> Stamp | None:
    try:
        return engine_stamp.read(served)
    except CannotServe:  # nobody knows what that engine is: build a new one
        return None
