"""Proves Lucy Serve on a GPU: speed, the same pictures as on a CPU, the server from socket to socket.

    python -m benchmarks.gpu_proof pack         # what a machine without network needs, in two parts
    python -m benchmarks.gpu_proof run          # every step, on this machine
    python -m benchmarks.gpu_proof run --device cpu --size tiny    # a rehearsal without a GPU
    python -m benchmarks.gpu_proof run --steps networks,parity
    python -m benchmarks.gpu_proof table build/gpu-proof/results/report.json    # as Markdown

`run` writes report.json after each step. A step that fails or hangs does not stop the others.
"""

import argparse
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from serving.command_line import run as run_command

CHECKPOINT = Path("export/checkpoints/lucy-tiny")
BUILD = Path("build/gpu-proof")


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if args.command == "pack":
        from benchmarks.gpu_proof.pack import PackFault, pack

        try:
            pack(args.folder, args.python, args.only_data)
        except PackFault as error:
            print(f"gpu_proof: {error}", file=sys.stderr)
            return 1
    elif args.command == "table":
        from benchmarks.gpu_proof.table import table

        print(table(args.report))
    elif args.command == "step":
        from benchmarks.gpu_proof.steps.step import run_step

        run_step(args)
    else:
        return _run(args)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_proof",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="write the two parts that a machine without network needs")
    pack.add_argument("folder", type=Path, nargs="?", default=BUILD)
    pack.add_argument("--python", default="python3.12", help="with its shared library (default: %(default)s)")
    pack.add_argument("--only-data", action="store_true", help="what the steps read, and no parts")
    table = commands.add_parser("table", help="print a report as Markdown")
    table.add_argument("report", type=Path)
    run = commands.add_parser("run", help="run the steps and write the report")
    run.add_argument("--part", type=int, choices=[1, 2], help="the steps of one call (default: all)")
    run.add_argument("--steps", type=lambda text: text.split(","), default=[], help="only these")
    run.add_argument("--seconds", type=float, help="for all steps together")
    run.add_argument(
        "--patience", type=float, default=1.0, help="times each limit, for a rehearsal on a slow machine"
    )
    step = commands.add_parser("step", help="one step, in this process; `run` calls it")
    step.add_argument("name")
    step.add_argument("--limit", type=float, default=600.0, help="seconds after which it will be ended")
    for command in (run, step):
        command.add_argument("--results", type=Path, default=BUILD / "results", help="of the report")
        command.add_argument("--work", type=Path, default=BUILD / "work", help="for everything else")
        command.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
        command.add_argument("--size", choices=["sd15", "tiny"], default="sd15", help="of the networks")
        command.add_argument("--data", type=Path, default=BUILD / "data", help="made by `pack`")
        command.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="lucy-tiny")
    return parser


def _run(args: argparse.Namespace) -> int:
    from benchmarks.gpu_proof.figures import Report
    from benchmarks.gpu_proof.machine import describe_device, source, versions
    from benchmarks.gpu_proof.plan import SECONDS, chosen
    from benchmarks.gpu_proof.runner import REPORT, Runner
    from benchmarks.gpu_proof.sizes import SIZES

    try:
        steps = [
            replace(step, limit_s=step.limit_s * args.patience) for step in chosen(args.part, args.steps)
        ]
        device = describe_device(args.device)
    except ValueError as error:
        print(f"gpu_proof: {error}", file=sys.stderr)
        return 2
    path = args.work / REPORT
    if path.exists() and args.part == 2:  # the second call adds to the first one's report
        report = Report.model_validate_json(path.read_text())
    else:
        report = Report(
            device=device,
            versions=versions(),
            commit=source(),
            began=datetime.now().astimezone().isoformat(timespec="seconds"),
            size=args.size,
            networks=SIZES[args.size].networks,
        )
    whole = SECONDS[args.part] if args.part else sum(SECONDS.values())
    seconds = args.seconds or args.patience * whole
    options = [f"--device={args.device}", f"--size={args.size}", f"--data={args.data}"]
    runner = Runner(args.work, args.results, [*options, f"--checkpoint={args.checkpoint}"])
    report = runner.run(steps, report, seconds)
    print(f"{args.results / REPORT} has all figures")
    return int(any(step.state != "done" for step in report.steps))


if __name__ == "__main__":
    sys.exit(run_command("gpu_proof", main))
