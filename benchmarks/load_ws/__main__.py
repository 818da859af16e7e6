"""The proxy's cost and capacity: sockets with keyframes, and concurrent captures, in front of a real Triton.

    python -m benchmarks.load_ws                        # all loads, on a stand-in for the model
    python -m benchmarks.load_ws --repository model_repository --sockets 4 --closed --captures 1

`benchmarks/stand_in` is a model `tryon` that waits instead of computing, so the figures are the proxy's. The
proxy has the last core to itself; Triton and the load generator share the others. The clients' latencies
include the generator's own delays: where `client_cpu_cores` is near 1, it is the bottleneck. The event loop's
lag is the proxy's alone.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.command_line import run
from benchmarks.load_ws.cost import own_cost
from benchmarks.load_ws.load import load
from benchmarks.load_ws.server import serving
from benchmarks.provenance import provenance

ROOT = Path(__file__).parents[2]


async def measure(served, args):
    if args.sockets:
        options = {"captures": args.captures, "seconds": args.seconds, "binary": args.format == "msgpack"}
        interval = None if args.closed else args.interval
        return {"load": [await load(served, sockets=args.sockets, interval=interval, **options)]}
    result = {"own_cost": await own_cost(served, rounds=100), "load": []}
    for sockets, interval, captures, binary in (
        *((4, None, 0, True), (4, None, 0, False), (4, None, 2, True)),
        *((100, args.interval, 2, True), (500, args.interval, 0, True), (500, args.interval, 0, False)),
    ):
        options = {"captures": captures, "seconds": args.seconds, "binary": binary}
        result["load"].append(await load(served, sockets=sockets, interval=interval, **options))
        print(json.dumps(result["load"][-1]), flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repository", type=Path, default=ROOT / "benchmarks" / "stand_in")
    parser.add_argument(
        "--sockets", type=int, help="measure one load with this many sockets (default: several loads)"
    )
    parser.add_argument("--interval", type=float, default=1.5, help="seconds between a socket's keyframes")
    parser.add_argument("--closed", action="store_true", help="each socket waits for its answer instead")
    parser.add_argument("--captures", type=int, default=0, help="concurrent captures")
    parser.add_argument("--format", choices=["msgpack", "json"], default="msgpack")
    parser.add_argument("--seconds", type=float, default=15, help="of each load (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="also write the result to this JSON file")
    args = parser.parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory() as folder, serving(args.repository, Path(folder)) as served:
        result = asyncio.run(measure(served, args)) | origin
    text = json.dumps(result, indent=2) + "\n"
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    sys.exit(run("bench-load", main))
