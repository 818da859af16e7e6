"""`python -m training.finetune DATASET --checkpoint … --out lora.safetensors`: a LoRA of own pictures."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from serving.command_line import run as end
from training.arguments import check_folder, check_output, natural, positive, rate, share

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "export" / "checkpoints" / "lucy-tiny"
WORK = ROOT / "build" / "finetune"


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(prog="python -m training.finetune", description=__doc__)
    it.add_argument("dataset", type=Path, help="one folder for each row: see docs/finetuning.md")
    it.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="default: lucy-tiny")
    it.add_argument("--out", type=Path, default=Path("lora.safetensors"), help="default: %(default)s")
    it.add_argument("--check", action="store_true", help="only say what is wrong with the rows")
    it.add_argument(
        "--steps", type=natural, default=400, help="of the denoiser, at most (default: %(default)s)"
    )
    it.add_argument(
        "--light-steps",
        type=natural,
        default=600,
        help="of lucy-tiny's light reader, at most (default: %(default)s)",
    )
    it.add_argument("--learning-rate", type=rate, default=1e-3, help="the highest (default: %(default)s)")
    it.add_argument("--batch", type=positive, default=8, help="rows of a step (default: %(default)s)")
    it.add_argument(
        "--variants", type=natural, default=8, help="of each row, beside itself (default: %(default)s)"
    )
    it.add_argument("--rank", type=positive, default=16, help="of the LoRA (default: %(default)s)")
    it.add_argument("--text-encoder", action="store_true", help="train it, too")
    it.add_argument(
        "--held-out", type=share, default=0.2, help="share of the people who are only measured (default: 0.2)"
    )
    it.add_argument(
        "--every", type=positive, default=50, help="steps between validations (default: %(default)s)"
    )
    it.add_argument(
        "--patience",
        type=positive,
        default=4,
        help="validations without a gain, then it stops (default: %(default)s)",
    )
    it.add_argument("--seed", type=natural, default=0)
    it.add_argument("--device", help="default: a GPU of CUDA if there is one, else cpu")
    it.add_argument("--threads", type=natural, default=0, help="of the processor; default: torch's choice")
    it.add_argument(
        "--checkpointing", action="store_true", help="compute activations twice: less memory, a third slower"
    )
    it.add_argument(
        "--work", type=Path, default=WORK, help="of states, logs and sheets (default: build/finetune)"
    )
    return it


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    # On a busy machine a thread that spins at a barrier takes the core of the thread it waits for.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    from export.errors import ExportError
    from training.devices import chosen_device
    from training.finetune.checker import checked
    from training.finetune.examples import Preparation
    from training.finetune.loop import Diverged
    from training.finetune.rows import find_rows
    from training.finetune.run import Wanted, run
    from training.finetune.tunable import Choices, Tunable

    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        if args.check:
            rows = find_rows(args.dataset)
            tunable = Tunable(args.checkpoint, torch.device("cpu"), Choices())
            checked(rows, Preparation(tunable.config, tunable.light_reader is not None))
            print(f"{len(rows)} rows, nothing is wrong with them")
            return 0
        check_output(args.out, ".safetensors")
        check_folder(args.work)
        device = chosen_device(args.device)
        choices = Choices(args.rank, args.text_encoder, device.type == "cuda", args.checkpointing)
        wanted = Wanted(
            **{
                name: getattr(args, name)
                for name in Wanted.__dataclass_fields__
                if name not in ("device", "choices")
            },
            device=str(device),
            choices=choices,
        )
        about = run(wanted)
    except BrokenPipeError:
        raise
    except torch.OutOfMemoryError:
        print("the GPU has too little memory: give a smaller --batch, or --checkpointing", file=sys.stderr)
        return 1
    except (ExportError, Diverged, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for part in about["parts"]:
        print(
            f"{part['part']}: {part['before']:.4f} → {part['best']:.4f} at step {part['best_step']} of "
            f"{part['steps']}, {part['seconds']:.0f} s"
        )
    print(
        f"wrote {args.out} and {args.out.with_suffix('.md')}; {about['processor_seconds']:.0f} s of processor"
    )
    if not any(part["best_step"] for part in about["parts"]):
        print(
            "nothing was learnt, and the LoRA changes nothing: no validation was better than the checkpoint; "
            "more rows, more steps or another --learning-rate may help",
            file=sys.stderr,
        )
        return 1
    compare = [str(args.dataset), "--lora", str(args.out), "--checkpoint", str(args.checkpoint)]
    print(f"next: python -m training.finetune.compare {shlex.join(compare)}")
    return 0


if __name__ == "__main__":
    sys.exit(end("finetune", main, "stopped by Ctrl-C; the same command goes on"))
