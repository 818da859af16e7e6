"""What the manifest says about the runtimes on each processor: their figures, and the best for each stage.

"processors": {"AMD EPYC (…), 2 cores": {
    "measured_at": "2026-11-27T18:00:00+00:00",
    "versions": {"onnxruntime": "1.32.0", "openvino": "2026.4.0"},
    "stages": {"unet": {
        "chosen": "openvino bf16",
        "runtimes": {
            "openvino bf16": {"ms": {"1": 12.8, "4": 36.7}, "processor_ms": {…}, "error": 0.0047}, …}}}}}
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.errors import CannotServe
from serving.exported import read_manifest
from serving.installed import installed_version
from serving.processor import processor_name
from serving.stages.figures import Figures, best
from serving.stages.runtime import ONNX_RUNTIME, Runtime

_KEY = "processors"


@dataclass(frozen=True)
class Measured:
    """measured_at: in ISO 8601. stages: those for which there was time."""

    measured_at: str
    stages: Mapping[str, Mapping[Runtime, Figures]]

    def chosen(self, stage: str) -> Runtime | None:
        figures = self.stages.get(stage)
        return None if figures is None else best(figures)

    def line(self, stage: str) -> str:
        """Such as "OpenVINO in bfloat16 (12.8, 36.7); not ONNX Runtime in float32 (15.8, 53.8)"."""
        figures = self.stages[stage]
        chosen = best(figures)
        others = [f"{it} ({_times(figures[it])})" for it in figures if it != chosen]
        return "; not ".join([f"{chosen} ({_times(figures[chosen])})", ", ".join(others)][: 1 + bool(others)])


def measured_here(manifest: Mapping[str, Any]) -> Measured | None:
    """What was measured on this processor with the installed libraries."""
    found = manifest.get(_KEY, {}).get(processor_name())
    if found is None or found["versions"] != library_versions():
        return None
    stages = {
        stage: {_runtime(name): _figures(it) for name, it in entry["runtimes"].items()}
        for stage, entry in found["stages"].items()
    }
    return Measured(found["measured_at"], stages)


def measured_runtime(model: Path) -> Runtime | None:
    """The best runtime on this processor for `<repository>/<stage>/1/model.onnx`, as its manifest says."""
    stage = model.parent.parent
    try:
        measured = measured_here(read_manifest(stage.parent))
    except (CannotServe, ValueError, LookupError, TypeError, AttributeError):
        return None  # a model alone, which a bucket was read for
    return None if measured is None else measured.chosen(stage.name)


def with_measured(manifest: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    """The manifest with what was measured on this processor."""
    stages = {
        stage: {
            "chosen": _name(best(figures)),
            "runtimes": {_name(runtime): _entry(it) for runtime, it in figures.items()},
        }
        for stage, figures in measured.stages.items()
        if ONNX_RUNTIME in figures
    }
    entry = {"measured_at": measured.measured_at, "versions": library_versions(), "stages": stages}
    return {**manifest, _KEY: manifest.get(_KEY, {}) | {processor_name(): entry}}


def library_versions() -> dict[str, str]:
    """Those that are installed; another version may be faster or slower."""
    versions = {library: installed_version(library) for library in ("onnxruntime", "openvino")}
    return {library: found for library, found in versions.items() if found is not None}


def _times(figures: Figures) -> str:
    return ", ".join(f"{ms:.1f}" for _, ms in sorted(figures.ms.items()))


def _name(runtime: Runtime) -> str:
    return f"{runtime.package} {runtime.precision}"


def _runtime(name: str) -> Runtime:
    package, precision = name.split()
    return Runtime(package, precision)  # type: ignore[arg-type]


def _entry(figures: Figures) -> dict[str, Any]:
    return {
        "ms": {str(rows): round(ms, 2) for rows, ms in figures.ms.items()},
        "processor_ms": {str(rows): round(ms, 2) for rows, ms in figures.processor_ms.items()},
        "error": float(f"{figures.error:.1e}") if math.isfinite(figures.error) else None,
    }


def _figures(entry: Mapping[str, Any]) -> Figures:
    def times(name: str) -> dict[int, float]:
        return {int(rows): ms for rows, ms in entry[name].items()}

    return Figures(times("ms"), times("processor_ms"), math.inf if entry["error"] is None else entry["error"])
