"""Keyframe sessions on Lucy Serve and on the backend that it replaces.

    python -m benchmarks.sessions full      # every load, an hour
    python -m benchmarks.sessions quick     # what the verdicts need, three minutes
    python -m benchmarks.sessions soak      # sixteen sessions for ten minutes
    python -m benchmarks.sessions light     # answers that are lights beside pictures, three minutes
    python -m benchmarks.sessions batch     # a batch of sixty captures beside two live sessions, four minutes
    python -m benchmarks.sessions report    # writes benchmarks/README.md from the newest measurements

Each command starts its own servers and writes benchmarks/results/<date>-<machine>.json, its plots, and
benchmarks/README.md.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.command_line import run
from benchmarks.sessions import batch, live_light, report, side_by_side, soak, verdicts
from benchmarks.sessions.record import FOLDER, Record
from benchmarks.verdict import print_verdicts

# Without a part in the report, which compares with the previous backend: it has neither lights nor batches.
ALONE = {"light": live_light, "batch": batch}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sessions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["full", "quick", "soak", "light", "batch", "report"])
    parser.add_argument("--sessions", type=int, default=16, help="of the soak (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="of the soak (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder of the JSON and the plots")
    parser.add_argument("--readme", type=Path, default=report.README, help="default: %(default)s")
    args = parser.parse_args(argv)
    record = Record.newest(args.results) if args.command == "report" else Record.of_today(args.results)
    found = []
    if args.command == "soak":
        soak.measure(args.sessions, args.minutes, record)
        found = verdicts.soak(record.sections["soak"])
    elif args.command in ALONE:
        one = ALONE[args.command]
        one.measure(record)
        print_verdicts(one.verdicts(record.sections[args.command]))
        print(record.path)
        return
    elif args.command != "report":
        try:
            side_by_side.measure(side_by_side.PLANS[args.command], record, args.command)
        finally:
            if record.sections["sessions"]["loads"]:  # an interrupted run still shows what it measured
                report.write(record, args.readme)
        found = verdicts.side_by_side(record.sections["sessions"])
    report.write(record, args.readme)
    print_verdicts(found)
    print(f"{record.path}\n{args.readme}")


if __name__ == "__main__":
    sys.exit(run("bench", main))
