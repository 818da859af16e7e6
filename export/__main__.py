"""`python -m export`: what `make export` runs."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from export.errors import ExportError
from export.exporter import STAGES, export

HERE = Path(__file__).resolve().parent


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Export a diffusers inpainting checkpoint into the Triton model repository.",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        default=str(HERE / "checkpoints" / "lucy-tiny"),
        help="a diffusers folder or a hub id of the Stable-Diffusion-inpainting class (default: %(default)s)",
    )
    parser.add_argument("--profile", choices=["cpu", "gpu"], default="cpu", help="default: %(default)s")
    parser.add_argument("--precision", choices=["fp32", "fp16"], help="default: fp32 for cpu, fp16 for gpu")
    parser.add_argument(
        "--repository",
        type=Path,
        default=HERE.parent / "model_repository",
        help="the model repository (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    try:
        with tqdm(total=1 + 3 * len(STAGES), bar_format="{desc:<24}{bar}{n}/{total}", delay=1) as bar:

            def on_progress(stage: str, doing: str) -> None:
                bar.set_description_str(f"{stage}: {doing}")
                bar.update()

            manifest, exported = export(
                args.checkpoint, args.repository, args.profile, args.precision, on_progress
            )
            if exported:
                bar.set_description_str("done")
    except ExportError as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    if not exported:
        print(f"{manifest['checkpoint']['name']} is exported already; nothing to do")
        return 0
    print(_table(manifest))
    if args.profile == "gpu":
        print("ONNX is ready; TensorRT engines are built from it on the machine with the GPU.")
    return 0


def _table(manifest: dict[str, Any]) -> str:
    lines = [f"{'stage':<14}{'MB':>8}{'error to torch':>16}{'allowed':>10}{'seconds':>9}"]
    for name, stage in manifest["stages"].items():
        size = sum(entry["bytes"] for path, entry in manifest["files"].items() if path.startswith(f"{name}/"))
        parity = stage["parity"]
        lines.append(
            f"{name:<14}{size / 1e6:>8.1f}{parity['error']:>16.1e}{parity['tolerance']:>10.0e}"
            f"{stage['seconds']:>9.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
