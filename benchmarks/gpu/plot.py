"""The report as a plot."""

from pathlib import Path
from typing import Any

from benchmarks.gpu.denoising import MODES
from benchmarks.gpu.engines import ENGINES


def plot(report: dict[str, Any], path: Path) -> None:
    """Each stage's time by batch with its lower bound, and whole pictures; one row per resolution."""
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
