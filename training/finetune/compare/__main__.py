"""`python -m training.finetune.compare DATASET --lora …`: base against tuned, through the real server.

Measures the rows that training never had, writes a sheet for each mode (person, base, tuned, photo), and
copies the LoRA to `--publish` only if it is not worse.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from serving.command_line import run as end
from serving.paths import path_fault
from training.arguments import check_folder, check_output

ROOT = Path(__file__).resolve().parents[3]


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(prog="python -m training.finetune.compare", description=__doc__)
    it.add_argument("dataset", type=Path, help="that it was trained on, or rows that it never had")
    it.add_argument("--lora", type=Path, required=True)
    it.add_argument("--checkpoint", type=Path, default=ROOT / "export" / "checkpoints" / "lucy-tiny")
    it.add_argument("--elsewhere", type=Path, help="rows of other garments, on which little may be lost")
    it.add_argument(
        "--least-gain", type=float, default=0.0, help="decibels on the measured rows (default: %(default)s)"
    )
    it.add_argument(
        "--most-lost", type=float, default=0.1, help="decibels on those elsewhere (default: %(default)s)"
    )
    it.add_argument("--publish", type=Path, help="where the LoRA is copied to, with its card, if it may be")
    it.add_argument("--profile", choices=["cpu", "gpu"], default="cpu")
    it.add_argument("--work", type=Path, default=ROOT / "build" / "finetune" / "compare")
    return it


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    from export.errors import ExportError
    from lucy_client import LucyError
    from training.finetune.compare.answers import NotDressed
    from training.finetune.compare.server import NotServed

    try:
        if args.publish:
            check_output(args.publish, ".safetensors")
            if args.publish.resolve() == args.lora.resolve():
                raise ValueError(f"{args.publish} is the LoRA itself: give --publish another place")
        check_folder(args.work)
        if fault := path_fault(args.work.resolve()):
            raise ValueError(f"--work: {fault}")
        report = _compare(args)
        print(json.dumps(report, indent=2))
        if report["refused"]:
            print("refused: " + "; ".join(report["refused"]), file=sys.stderr)
            return 1
        if args.publish:
            _publish(args.lora, args.publish, report)
            print(f"published as {args.publish}")
    except BrokenPipeError:
        raise
    except (ExportError, LucyError, NotDressed, NotServed, OSError, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    return 0


def _compare(args: argparse.Namespace) -> dict[str, Any]:
    from export.checkpoint import locate
    from training.finetune.checker import checked
    from training.finetune.compare.answers import MODES, answers
    from training.finetune.compare.measured import measured, sheet
    from training.finetune.compare.server import served
    from training.finetune.compare.verdict import compared, faults
    from training.finetune.examples import Preparation
    from training.finetune.lora_file import read_about
    from training.finetune.rows import find_rows

    about = read_about(args.lora)
    datasets = {"validation": _not_trained(args.dataset, about)}
    if args.elsewhere:
        datasets["elsewhere"] = find_rows(args.elsewhere)
    preparation = Preparation(locate(str(args.checkpoint)).load().config, with_scene=False)
    for rows in datasets.values():
        checked(rows, preparation)
    found = {}
    for name, lora in (("base", None), ("tuned", args.lora.resolve())):
        folder = args.work.resolve() / name
        folder.mkdir(parents=True, exist_ok=True)
        with served(folder, _from_anywhere(args.checkpoint), lora, args.profile) as url:
            for which, rows in datasets.items():
                answered = answers(url, rows, f"{name}, {which}")
                found[which, name] = measured(rows, answered, preparation)
    sides = {}
    for which in datasets:
        base, tuned = found[which, "base"], found[which, "tuned"]
        sides[which] = compared(base, tuned)
        for mode in MODES:
            cv2.imwrite(str(args.work / f"{which}-{mode}.jpg"), sheet(base, tuned, mode))
    refused = faults(sides["validation"], sides.get("elsewhere"), args.least_gain, args.most_lost)
    report: dict[str, Any] = {
        name: {"rows": len(datasets[name]), **side.told()} for name, side in sides.items()
    }
    report |= {"lora": str(args.lora), "sheets": str(args.work), "refused": refused}
    (args.work / "compare.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def _from_anywhere(checkpoint: Path) -> str:
    """What names it in another working folder, too; a hub id, which is no path, as it is."""
    return str(checkpoint.resolve() if checkpoint.exists() else checkpoint)


def _not_trained(dataset: Path, about: dict[str, Any]) -> Sequence[Any]:
    """The rows that training only measured; all of them if it had other data.

    Raises ValueError if it had photos of them, and the data has changed since.
    """
    from training.finetune.rows import data_digest, find_rows

    rows = find_rows(dataset)
    if data_digest(rows) == about["data"]["sha256"]:
        return [row for row in rows if row.name in about["data"]["validation"]]
    if {row.photo_digest for row in rows} & set(about["data"].get("trained", [])):
        raise ValueError(
            f"{dataset} contains photos that the LoRA was trained on, and is not the dataset of its "
            "training: give that one as it was, or rows that training never had"
        )
    return rows


def _publish(lora: Path, place: Path, report: dict[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(lora, place)
    card = lora.with_suffix(".md")
    text = card.read_text() if card.is_file() else ""
    measured = json.dumps(
        {name: it for name, it in report.items() if name in ("validation", "elsewhere")}, indent=2
    )
    place.with_suffix(".md").write_text(f"{text}\n## Through the real server\n\n```json\n{measured}\n```\n")


if __name__ == "__main__":
    sys.exit(end("compare", main))
