"""The command line: `lucy capture --camera me.jpg --garment coat.jpg -o out.png`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lucy_client import batch_command
from lucy_client.client import Lucy
from lucy_client.events import Progress
from lucy_client.options import add_fields, add_server, given, run_on_server


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="lucy", description="A client of a Lucy Serve.")
    add_server(whole)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    capture = commands.add_parser("capture", help="one picture of a person in a garment")
    capture.add_argument("--camera", type=Path, required=True, metavar="PICTURE", help="of the person")
    garment = capture.add_mutually_exclusive_group(required=True)
    several: Any = {"type": Path, "action": "append", "default": [], "metavar": "PICTURE"}
    garment.add_argument(
        "--garment", **several, help="a photo of the garment; of several, each lies over those before it"
    )
    garment.add_argument(
        "--render", **several, help="the garment, rendered over the person; likewise of several"
    )
    add_fields(capture, "as fabric_id=denim-blue")
    capture.add_argument("-o", "--out", type=Path, default=Path("out.png"), help="%(default)s")
    capture.set_defaults(run=_capture)

    scan = commands.add_parser("scan", help="a photo of a fabric to an entry of the catalog")
    scan.add_argument("photo", type=Path)
    add_fields(scan, "as name='Blue wool'")
    scan.set_defaults(run=_scan)

    fabrics = commands.add_parser("fabrics", help="the catalog")
    fabrics.add_argument("--tag")
    fabrics.add_argument("--text")
    fabrics.set_defaults(run=_fabrics)

    batch = commands.add_parser("batch", help="a folder: every person in every garment")
    batch_command.add_arguments(batch)
    batch.set_defaults(run=batch_command.run)

    health = commands.add_parser("health", help="the server's state")
    health.set_defaults(run=_health)
    return whole


def _capture(lucy: Lucy, arguments: argparse.Namespace) -> int:
    kind = "garment_image" if arguments.garment else "jacket_render"
    worn = [{kind: picture} for picture in arguments.garment or arguments.render]
    fields = {**(worn[0] if len(worn) == 1 else {"garments": worn}), **given(arguments.set)}
    with tqdm(unit="step", leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.steps
            bar.update(progress.step - bar.n)

        result = lucy.capture(arguments.camera, on_progress=show, **fields)
    if result.mode == "fallback":
        print(f"nothing was painted ({result.mode_reason}): {result.detail or ''}", file=sys.stderr)
        return 1
    result.save(arguments.out)
    print(f"{arguments.out}: seed {result.seed}, {result.steps} steps")
    return 0


def _scan(lucy: Lucy, arguments: argparse.Namespace) -> int:
    result = lucy.scan(arguments.photo, **{"save": True, **given(arguments.set)})
    print(f"{result.fabric_id}: {result.name}")
    if result.detail:
        print(result.detail, file=sys.stderr)
    return 0


def _fabrics(lucy: Lucy, arguments: argparse.Namespace) -> int:
    for fabric in lucy.fabrics(tag=arguments.tag, text=arguments.text):
        print(f"{fabric.id}: {fabric.name}")
    return 0


def _health(lucy: Lucy, arguments: argparse.Namespace) -> int:
    print(json.dumps(lucy.health().model_dump(mode="json"), indent=2))
    return 0


def main(arguments: list[str] | None = None) -> int:
    whole = parser()
    parsed = whole.parse_args(arguments)
    return run_on_server(whole.prog, parsed, parsed.run)


if __name__ == "__main__":
    sys.exit(main())
