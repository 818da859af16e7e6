"""`python -m training.visible_garment`: make the networks that find the visible garment."""

import argparse
import os
import sys
from pathlib import Path

from serving.command_line import run
from training.arguments import natural, positive

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "visible_garment"
NETWORK = WORK / "visible.onnx"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.visible_garment", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    painting = commands.add_parser(
        "paint", help="paint scenes of lucy-tiny's generator; a stopped run goes on"
    )
    painting.add_argument("--scenes", type=positive, default=2304, help="default: %(default)s")
    training = commands.add_parser("train", help="train, and write the network; a stopped run goes on")
    training.add_argument("--minutes", type=float, default=120, help="in all (default: %(default)s)")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--threads", type=positive, default=1, help="default: %(default)s")
    training.add_argument("--device", help="default: a GPU of CUDA if there is one, else cpu")
    training.add_argument(
        "--workers", type=natural, default=0, help="processes that make samples (default: this one)"
    )
    writing = commands.add_parser("write", help="write the network of a training that still goes on")
    converting = commands.add_parser(
        "hands", help="convert MediaPipe's network of hands, which npm fetches, to ONNX"
    )
    converting.add_argument("--network", type=Path, default=WORK / "hands.onnx", help="default: %(default)s")
    for command in (training, writing):
        command.add_argument("--network", type=Path, default=NETWORK)
    training.add_argument(
        "--photographs", type=Path, default=ROOT / "build" / "photographs", help="of training/photographs"
    )
    for command in (painting, training, writing):
        command.add_argument("--work", type=Path, default=WORK, help="for scenes and states")
    args = parser.parse_args(argv)

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # torch reads it when it is imported
    if args.command == "paint":
        from training.visible_garment.scenes import paint

        paint(args.work / "painted", args.scenes)
        return 0
    if args.command == "hands":
        from training.visible_garment.hand_network import convert, fetch

        args.network.parent.mkdir(parents=True, exist_ok=True)
        args.network.write_bytes(convert(fetch()).SerializeToString(deterministic=True))
        print(f"{args.network} is written; `preprocess` takes it from model_repository/preprocess/1/")
        return 0
    import torch

    from training.devices import chosen_device
    from training.visible_garment.network import write_onnx
    from training.visible_garment.scenes import Scenes, collect
    from training.visible_garment.training import Sources, Training, train

    if args.command == "write":
        done = Training(1)
        done.load(args.work / "state.pt")
    else:
        torch.set_num_threads(args.threads)

        def read() -> Sources:
            """Three quarters path-traced, once there are enough of them."""
            collect(args.work / "photographed", args.photographs)
            painted, photographed = (Scenes(args.work / name) for name in ("painted", "photographed"))
            shares = [(painted, 1.0), (photographed, min(3.0, len(photographed) / 100))]
            if not any(len(scenes) for scenes, _ in shares):
                raise FileNotFoundError(f"{args.work} has no scenes: `paint` makes some")
            return [(scenes, share) for scenes, share in shares if len(scenes)]

        device = chosen_device(args.device)
        done = train(read, args.minutes, args.work, args.seed, device, args.workers)
    write_onnx(done.average.cpu(), args.network)
    return 0


if __name__ == "__main__":
    sys.exit(run("train-visible", main, "stopped by Ctrl-C; the same command goes on", (OSError, ValueError)))
