"""`python -m training.scene_light`: make samples, train and write the default checkpoint's light reader."""

import argparse
import json
import os
import sys
from pathlib import Path

from serving.command_line import run
from training.arguments import natural, positive

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "scene-light"
PHOTOGRAPHS = ROOT / "build" / "photographs"
CHECKPOINT = ROOT / "export" / "checkpoints" / "lucy-tiny"
# Seeds of painted scenes; lucy-tiny's own evaluation begins at 2,000,000.
FIRST_SCENE, HELD_OUT_SCENE = 3_000_000, 2_900_000


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.scene_light", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="paint scenes, collect path-traced ones, train; goes on")
    training.add_argument(
        "--minutes", type=float, default=60, help="of training in all (default: %(default)s)"
    )
    training.add_argument("--painted", type=natural, default=4096, help="scenes of lucy-tiny's own generator")
    training.add_argument(
        "--photographs", type=Path, default=PHOTOGRAPHS, help="path-traced scenes; may grow"
    )
    training.add_argument(
        "--held-out", type=Path, action="append", default=[], help="scenes that are only measured"
    )
    training.add_argument(
        "--onwards", action="store_true", help="a new run that begins with the last one's weights"
    )
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--device", help="default: a GPU of CUDA if there is one, else cpu")
    refitting = commands.add_parser(
        "refit", help="the level's layers of a checkpoint's reader anew: minutes on one thread"
    )
    refitting.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="default: the product's")
    refitting.add_argument("--painted", type=natural, default=640, help="scenes of lucy-tiny's own generator")
    refitting.add_argument("--photographs", type=Path, default=PHOTOGRAPHS, help="path-traced scenes")
    refitting.add_argument(
        "--steps", type=positive, default=argparse.SUPPRESS, help="default: refitting.STEPS"
    )
    refitting.add_argument(
        "--share", type=float, default=argparse.SUPPRESS, help="of the layers' way; default: refitting.SHARE"
    )
    refitting.add_argument("--seed", type=int, default=0)
    writing = commands.add_parser("write", help="put the trained network into the checkpoint")
    writing.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    calibrating = commands.add_parser("calibrate", help="measure how sure it may be, on path-traced scenes")
    calibrating.add_argument("--photographs", type=Path, default=PHOTOGRAPHS)
    calibrating.add_argument("--samples", type=positive, default=200, help="default: %(default)s")
    measuring = commands.add_parser("validate", help="print the figures of each scene of a folder")
    measuring.add_argument("scenes", type=Path)
    for command in (training, refitting, calibrating, writing, measuring):
        command.add_argument("--work", type=Path, default=WORK, help="default: %(default)s")
    args = parser.parse_args(argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if args.command == "train":
        _train(args)
    elif args.command == "refit":
        _refit(args)
    elif args.command == "calibrate":
        _calibrate(args)
    elif args.command == "write":
        from training.scene_light.training import Training
        from training.scene_light.weights import write_weights

        trained = Training(args.work, 0)
        trained.load()
        print(write_weights(trained.average, args.checkpoint))
    else:
        _validate(args)
    return 0


def _train(args: argparse.Namespace) -> None:
    import numpy as np

    from training.devices import chosen_device
    from training.scene_light.samples import of_painted
    from training.scene_light.shards import paint, scenes_in, stack
    from training.scene_light.training import Training

    training = Training(args.work, 60 * args.minutes, args.seed, chosen_device(args.device))
    if training.state.exists():
        training.load(args.onwards)
    held_out = {folder.name: stack(scenes_in(folder)) for folder in args.held_out}
    paint(args.work, FIRST_SCENE, args.painted)
    held_out["painted"] = np.stack([of_painted(HELD_OUT_SCENE + i) for i in range(64)])
    training.run(args.photographs, held_out)
    print(
        f"{training.state}: trained for {training.elapsed / 60:.0f} minutes; `calibrate` measures how sure "
        "it may be, and `write` puts it into the checkpoint"
    )


def _refit(args: argparse.Namespace) -> None:
    from training.scene_light.refitting import refit, remembered
    from training.scene_light.shards import collect, paint, read
    from training.scene_light.training import Training

    paint(args.work, FIRST_SCENE, args.painted)
    collect(args.work, args.photographs)
    training = Training(args.work, 0, args.seed)
    training.begin(args.checkpoint)
    photographs, painted = (
        remembered(training.network, read(args.work, kind), args.seed) for kind in ("photographs", "painted")
    )
    chosen = {name: value for name, value in vars(args).items() if name in ("steps", "seed", "share")}
    before, after = refit(training.network, photographs, painted, **chosen)
    training.average.load_state_dict(training.network.state_dict())
    training.save()
    print(f"error of the level: {before:.3f} → {after:.3f}")


def _calibrate(args: argparse.Namespace) -> None:
    from training.scene_light.calibration import calibrate
    from training.scene_light.shards import taken
    from training.scene_light.training import Training

    training = Training(args.work, 0)
    training.load()
    found = calibrate(training.average, taken(args.photographs, "validation", args.samples, seed=1))
    for name in ("calibration", "reliability"):
        getattr(training.network, name).copy_(getattr(training.average, name))
    training.save()
    print(json.dumps(found))


def _validate(args: argparse.Namespace) -> None:
    from training.scene_light.shards import scenes_in, stack
    from training.scene_light.training import Training
    from training.scene_light.validation import validate

    scenes = scenes_in(args.scenes)
    training = Training(args.work, 0)
    training.load()
    figures = validate(training.average, stack(scenes))
    for number, scene in enumerate(scenes):
        row = {name: vars(figures)[name][number].round(2).tolist() for name in vars(figures)}
        print(scene.name, json.dumps(row))
    print(json.dumps(figures.summary()))


if __name__ == "__main__":
    sys.exit(run("train-light", main, "stopped by Ctrl-C; `train` goes on", (OSError, ValueError)))
