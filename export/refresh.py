"""`python -m export.refresh`, which `make serve` runs first: sees to it that something current is exported.

What was exported last stays. It is exported again, in the same way, only if its source or the export's code
has changed, or if this command line asks for something else. Without any export, the default checkpoint is
exported.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from export import __main__ as command
from export import manifest
from export.errors import ExportError
from export.last_look import LastLook
from export.request import DEFAULT_CHECKPOINT, command_line, recorded, same_checkpoint
from serving.command_line import run
from serving.exported import describe, public_name


def main(argv: list[str] | None = None) -> int:
    args = vars(_parser().parse_args(argv))
    repository, only_missing = args.pop("repository"), args.pop("only_missing")
    for name in ("checkpoint", "profile"):
        if args.get(name) == "":
            del args[name]  # an empty variable of the environment: nothing was asked
    try:
        last = manifest.read(repository)
        complete = last is not None and manifest.is_complete(repository, last)
    except OSError as error:  # another user's export, for example root's
        print(
            f"export: {error.filename} cannot be read ({error.strerror}). Make {repository} this user's own, "
            "say with `sudo chown -R $USER`, or name another folder with --repository.",
            file=sys.stderr,
        )
        return 1
    if last is not None and complete and not args and only_missing:
        return 0
    repeated = last is not None and complete and not args and last["profile"] == "cpu"
    look = LastLook(repository, recorded(last)) if last is not None and repeated else None
    if look is not None and look.is_current():
        print("Nothing has changed since the last start: nothing is to be exported", flush=True)
        return 0
    if last is None and not args.get("checkpoint"):
        print(f"Nothing is exported yet: exporting {public_name(DEFAULT_CHECKPOINT)}.", flush=True)
    wanted = _wanted(last, args)
    if last is not None and not args and not Path(wanted["checkpoint"]).is_absolute():
        # Whether the hub has a newer version is not asked: serving needs no network.
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        exported = command.parser().parse_args([f"--repository={repository}", *command_line(wanted)])
        command.export_as_told(exported)
        if look is not None:
            look.remember()
    except BrokenPipeError:
        raise
    except (ExportError, OSError) as error:  # a source that is gone, a repository that is read-only
        if last is None or args or not manifest.is_complete(repository, last):
            print(f"export: {error}", file=sys.stderr)
            return 1
        kept = describe(last)
        print(
            f"{kept.source} cannot be exported again, so its export of {kept.exported_at} is served "
            f"({error})",
            flush=True,
        )
    return 0


def _wanted(last: dict[str, Any] | None, told: dict[str, str]) -> dict[str, Any]:
    """What the last export was told, with what this command line says. Empty means the default.

    LoRAs, precision and engines' options belong to a checkpoint: another one does not inherit them.
    """
    if last is None:
        return dict(told)
    before = recorded(last)
    if told.get("checkpoint") and not same_checkpoint(told["checkpoint"], before["checkpoint"]):
        before = {"profile": before["profile"]}
    if told.get("profile", before["profile"]) != before["profile"]:
        before.pop("precision", None)  # each profile has its own default
    return before | told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.refresh", description=__doc__)
    of_the_checkpoint = ("checkpoint", "profile", "precision", "loras", "densepose")
    for option in (*of_the_checkpoint, "engines", "refit", "workspace-gb"):
        parser.add_argument(
            f"--{option}", default=argparse.SUPPRESS, help="see `python -m export`; default: as exported last"
        )
    parser.add_argument("--only-missing", action="store_true", help="leave a complete export as it is")
    parser.add_argument("--repository", type=Path, default=command.REPOSITORY, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(run("export", main, command.INTERRUPTED))
