"""`python -m training.lucy_tiny`: make, train and evaluate the default checkpoint."""

import argparse
import json
import os
import sys
from pathlib import Path

from serving.command_line import run
from training.arguments import positive

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "export" / "checkpoints" / "lucy-tiny"
WORK = ROOT / "build" / "lucy-tiny"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.lucy_tiny", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    initial = commands.add_parser("init", help="write the untrained checkpoint")
    initial.add_argument("--seed", type=int, default=0)
    preview = commands.add_parser("preview", help="write a sheet of scenes: frame, composite, target")
    preview.add_argument("--first", type=int, default=0, help="the first scene's seed")
    preview.add_argument("--shifted", action="store_true", help="from ranges that training never uses")
    training = commands.add_parser("train", help="paint the data and train; a stopped run goes on")
    training.add_argument("--minutes", type=float, default=170, help="in all (default: %(default)s)")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--start", type=Path, help="go on from this checkpoint (default: from nothing)")
    training.add_argument(
        "--first-scene", type=int, default=1_000_000, help="the first scene's seed (default: %(default)s)"
    )
    evaluation = commands.add_parser("evaluate", help="measure the checkpoint in torch, without a server")
    evaluation.add_argument("--scenes", type=positive, default=64, help="default: %(default)s")
    rows = commands.add_parser("rows", help="write scenes as a dataset for training.finetune")
    rows.add_argument("folder", type=Path)
    rows.add_argument("--count", type=positive, default=40, help="default: %(default)s")
    rows.add_argument(
        "--first", type=int, default=4_000_000, help="the first scene's seed (default: %(default)s)"
    )
    rows.add_argument("--sequins", action="store_true", help="all of sequins, which training never uses")
    for command in (initial, training, evaluation):
        command.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    for command in (preview, training, evaluation):
        command.add_argument("--work", type=Path, default=WORK, help="for data, sheets and figures")
    args = parser.parse_args(argv)

    if args.command == "init":
        from training.lucy_tiny.architecture import build_pipeline, write_checkpoint

        write_checkpoint(build_pipeline(args.seed), args.checkpoint)
    elif args.command == "rows":
        from training.lucy_tiny.dataset import write_rows

        write_rows(args.folder, range(args.first, args.first + args.count), args.sequins)
    elif args.command == "preview":
        from training.lucy_tiny.scenes import make_scene
        from training.lucy_tiny.sheets import write_sheet

        scenes = [make_scene(args.first + i, shifted=args.shifted) for i in range(8)]
        write_sheet([[s.frame, s.composite, s.target] for s in scenes], args.work / "preview.png")
    elif args.command == "train":
        # On a busy machine a thread that spins at a barrier takes the core of the thread it waits for: 13
        # training steps a minute instead of 85. torch reads this when it is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        from training.lucy_tiny.training import train

        train(args.minutes, args.work, args.checkpoint, args.seed, args.start, args.first_scene)
    else:
        from training.lucy_tiny.evaluation import TorchPipeline, evaluate

        print(json.dumps(evaluate(TorchPipeline(args.checkpoint), args.scenes, args.work), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run("train-tiny", main, "stopped by Ctrl-C; `train` goes on", (OSError, ValueError)))
