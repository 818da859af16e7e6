"""`python -m export`, which `make export` runs."""

import argparse
import sys
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.interrupt import exit_on_interrupt
from export.lora import parse_loras
from export.request import record
from serving.command_line import run
from serving.errors import CannotServe
from serving.exported import read_exported

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent / "model_repository"
INTERRUPTED = "stopped by Ctrl-C; what was exported before is unchanged"


def parser() -> argparse.ArgumentParser:
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
        default=REPOSITORY,
        help="the model repository (default: %(default)s)",
    )
    parser.add_argument(
        "--loras", default="", help="path:weight,… of LoRAs to fuse into a second UNet, for keyframes"
    )
    engines = parser.add_argument_group("TensorRT engines, which profile gpu builds if there is a GPU")
    engines.add_argument(
        "--engines",
        type=int,
        choices=[0, 1],
        help="0: only ONNX; 1: an error if this machine cannot build them (default: build them if it can)",
    )
    engines.add_argument(
        "--refit", type=int, choices=[0, 1], default=0, help="1: engines that accept new weights in seconds"
    )
    engines.add_argument(
        "--workspace-gb", type=float, help="GPU memory that kernels may use as scratch (default, or 0: all)"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    try:
        export_as_told(parser().parse_args(argv))
    except ExportError as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:  # a file that may not be read, a name that is too long
        print(f"export: {error}", file=sys.stderr)
        return 1
    return 0


def export_as_told(args: argparse.Namespace) -> None:
    """Export as the command line says, with a progress bar and a table of the result. Raises ExportError."""
    with exit_on_interrupt("export", INTERRUPTED):
        _export(args)


def _export(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from export.engines import find_engines
    from export.exporter import STAGES, export

    loras = parse_loras(args.loras)
    wanted = args.profile == "gpu" and args.engines != 0
    engines = find_engines(args.workspace_gb, bool(args.refit), bool(args.engines)) if wanted else None
    steps = (3 + (engines is not None)) * (len(STAGES) + bool(loras))
    with (
        tqdm(total=1 + steps, bar_format="{desc:<24}{bar}{n}/{total}", delay=1) as bar,
        tqdm(bar_format="  {desc:<60.60}{bar}{n}/{total}", disable=engines is None, leave=False) as build,
    ):

        def on_progress(stage: str, doing: str) -> None:
            if bar.n == 0:
                print(_intention(args), flush=True)
            bar.set_description_str(f"{stage}: {doing}")
            bar.update()

        def on_build(phase: str, done: int, steps: int) -> None:
            build.set_description_str(phase, refresh=False)
            build.total, build.n = steps, done
            build.refresh()

        manifest, exported = export(
            args.checkpoint,
            args.repository,
            args.profile,
            args.precision,
            on_progress,
            loras=loras,
            engines=engines,
            on_build=on_build,
            request=record(args, loras),
        )
        if exported:
            bar.set_description_str("done")
    if not exported:
        print(f"{manifest['checkpoint']['name']} is already exported; nothing to do")
        return
    print(_table(manifest))
    if args.profile == "gpu" and engines is None:
        print("The ONNX files are ready; build the TensorRT engines on the machine with the GPU.")


def _intention(args: argparse.Namespace) -> str:
    """What is about to happen, since it takes a minute or, for a large checkpoint, many."""
    try:
        before = read_exported(args.repository)
    except CannotServe:
        replaced = ""
    else:
        replaced = f", in place of the export of {before.source} of {before.exported_at}"
    return f"Exporting {args.checkpoint} for profile {args.profile} into {args.repository}{replaced}"


def _table(manifest: dict[str, Any]) -> str:
    lines = [
        f"{'stage':<14}{'MB':>8}{'error to torch':>16}{'allowed':>10}{'seconds':>9}  {'precision':<11}engine"
    ]
    for name, stage in manifest["stages"].items():
        size = sum(entry["bytes"] for path, entry in manifest["files"].items() if path.startswith(f"{name}/"))
        parity, engine = stage["parity"], stage.get("engine")
        lines.append(
            f"{name:<14}{size / 1e6:>8.1f}{parity['error']:>16.1e}{parity['tolerance']:>10.0e}"
            f"{stage['seconds']:>9.1f}  {stage['precision']:<11}"
            + (f"{engine['how']} in {engine['seconds']:.0f} s" if engine else "-")
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run("export", main, INTERRUPTED))
