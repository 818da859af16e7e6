"""`python -m export`, which `make export` runs."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.interrupt import exit_on_interrupt
from export.lora import parse_loras
from export.printout import printout
from export.request import record
from serving.choose_runtimes import choose_in_a_process, is_wanted
from serving.command_line import run
from serving.errors import CannotServe
from serving.exported import read_exported

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent / "model_repository"
INTERRUPTED = "stopped by Ctrl-C; what was exported before is unchanged"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Export a try-on or inpainting checkpoint into the Triton model repository.",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        default=str(HERE / "checkpoints" / "lucy-tiny"),
        help="a folder, a file or a hub id of a family in docs/checkpoints.md (default: %(default)s)",
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
    parser.add_argument(
        "--densepose",
        default="",
        help="TorchScript or ONNX of a DensePose network, which IDM-VTON's pose picture is made by",
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
        "--workspace-gb",
        type=_gigabytes,
        help="GPU memory that kernels may use as scratch (default, or 0: all)",
    )
    return parser


def _gigabytes(text: str) -> float:
    """At least 0. Raises ArgumentTypeError: TensorRT would, after the networks are exported."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of gigabytes")
    return number


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
    from export.exporter import export

    if args.profile == "cpu":
        _check_runtime()
    loras = parse_loras(args.loras)
    wanted = args.profile == "gpu" and args.engines != 0
    engines = find_engines(args.workspace_gb, bool(args.refit), bool(args.engines)) if wanted else None
    each = 3 + (args.profile == "gpu") + (engines is not None)  # steps of a stage
    with (
        tqdm(total=1, bar_format="{desc:<24}{bar}{n}/{total}", delay=1) as bar,
        tqdm(bar_format="  {desc:<60.60}{bar}{n}/{total}", disable=engines is None, leave=False) as build,
    ):

        def on_progress(stage: str, doing: str) -> None:
            if bar.n == 0:
                print(_intention(args), flush=True)
            bar.set_description_str(f"{stage}: {doing}")
            bar.update()

        def on_stages(names: Sequence[str]) -> None:
            bar.total = 1 + each * len(names)

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
            beside={"densepose": Path(args.densepose).expanduser()} if args.densepose else {},
            engines=engines,
            on_build=on_build,
            on_stages=on_stages,
            request=record(args, loras),
        )
        if exported:
            bar.set_description_str("done")
    if exported:
        print(printout(manifest))
    if is_wanted(manifest):
        choose_in_a_process(args.repository)
    elif not exported:
        print(f"{manifest['checkpoint']['name']} is already exported; nothing to do")
    if not exported:
        return
    if args.profile == "gpu" and engines is None:
        print(
            "It can be served on any NVIDIA GPU: `make serve PROFILE=gpu`. TensorRT engines are built on it."
        )


def _check_runtime() -> None:
    """Raises ExportError for a wrong CPU_RUNTIME: now, since it would end the export after all its work."""
    from serving.cpu_settings import read_cpu_runtime

    try:
        read_cpu_runtime()
    except CannotServe as error:
        raise ExportError(str(error)) from error


def _intention(args: argparse.Namespace) -> str:
    """What is about to happen, since it takes a minute or, for a large checkpoint, many."""
    try:
        before = read_exported(args.repository)
    except CannotServe:
        replaced = ""
    else:
        replaced = f", in place of the export of {before.source} of {before.exported_at}"
    return f"Exporting {args.checkpoint} for profile {args.profile} into {args.repository}{replaced}"


if __name__ == "__main__":
    sys.exit(run("export", main, INTERRUPTED))
