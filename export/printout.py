"""What `make export` prints of an export: its family and licence, each stage's parity, and the memory."""

from collections.abc import Iterator
from typing import Any


def printout(manifest: dict[str, Any]) -> str:
    return "\n".join([*_about(manifest), "", *_stages(manifest), "", *_memory(manifest)])


def _about(manifest: dict[str, Any]) -> Iterator[str]:
    licence = manifest["licence"]
    yield f"family: {manifest['family']['title']}"
    yield f"licence: {licence['name']} ({licence['note']})"
    if licence["commercial"] is False:
        yield "NOT FOR COMMERCIAL USE: the licence of these weights forbids it."
    for stand_in in manifest["stand_ins"]:
        yield f"stand-in: {stand_in}"
    for lora in manifest.get("loras", []):
        left_out = f"; {lora['left_out']} tensors for text encoders are left out" if lora["left_out"] else ""
        every = " of every mode" if lora.get("modes") == "all" else ""
        changed = f"{lora['modules']} modules{every}"
        yield f"LoRA: {lora['path']} (weight {lora['weight']:g}) changes {changed}{left_out}"


def _stages(manifest: dict[str, Any]) -> Iterator[str]:
    width = max(14, 2 + max(map(len, manifest["stages"])))
    heads = f"{'MB':>8}{'error to torch':>16}{'allowed':>10}{'seconds':>9}  {'precision':<11}engine"
    yield f"{'stage':<{width}}{heads}"
    for name, stage in manifest["stages"].items():
        size = sum(entry["bytes"] for path, entry in manifest["files"].items() if path.startswith(f"{name}/"))
        parity, engine = stage["parity"], stage.get("engine")
        yield (
            f"{name:<{width}}{size / 1e6:>8.1f}{parity['error']:>16.1e}{parity['tolerance']:>10.0e}"
            f"{stage['seconds']:>9.1f}  {stage['precision']:<11}"
            + (f"{engine['how']} in {engine['seconds']:.0f} s" if engine else "-")
        )


def _memory(manifest: dict[str, Any]) -> Iterator[str]:
    """The table: a line for each resolution, a column for each batch of the denoiser."""
    memory = manifest["memory"]
    batches = sorted({row["batch"] for row in memory["rows"]})
    yield "memory of the networks in MB, measured from their graphs, by the rows of a denoiser's call"
    yield f"{'height × width':<16}" + "".join(f"{batch:>9}" for batch in batches)
    sizes: dict[tuple[int, int], dict[int, int]] = {}
    for row in memory["rows"]:
        height, width = row["resolution"]
        sizes.setdefault((height, width), {})[row["batch"]] = row["bytes"]
    for (height, width), found in sizes.items():
        yield f"{f'{height} × {width}':<16}" + "".join(f"{found[batch] / 1e6:>9.0f}" for batch in batches)
    if memory["unmeasured"]:
        yield f"not measured: {', '.join(memory['unmeasured'])}"
