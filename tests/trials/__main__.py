"""`python -m tests.trials http://127.0.0.1:5000`: all trials on a running server, as a table."""

import argparse
import asyncio
import sys

from tests.trials import cloth, pictures, poses, wire  # noqa: F401  (they register their trials)
from tests.trials.client import Server
from tests.trials.registry import TRIALS


async def run_all(url: str, only: str) -> int:
    """The number of trials that failed."""
    failed = 0
    async with Server(url) as server:
        for one in TRIALS:
            if not one.kind.startswith(only):
                continue
            try:
                await one.run(server)
                outcome = "ok"
            except Exception as error:
                failed += 1
                outcome = f"FAILED  {type(error).__name__}: {str(error)[:200]}"
            print(f"{one.kind:<4}{one.what[:72]:<74}{outcome}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trials", description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:5000", help="default: %(default)s")
    parser.add_argument("--only", default="", help="kinds that begin with this, like P or W4")
    args = parser.parse_args()
    failed = asyncio.run(run_all(args.url, args.only))
    print(f"{failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
