"""The effect of the step scheduler: keyframes during a capture, and keyframes of many users at once.

    python -m benchmarks.scheduling             # starts a stack of its own
    python -m benchmarks.scheduling --triton 127.0.0.1:8001

Everything is compared within one run, since machines are noisy. Each figure is a median; compare the ratios.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from itertools import chain
from pathlib import Path

from benchmarks.command_line import run
from benchmarks.provenance import provenance
from benchmarks.stack import ready_stack
from tests.tryon_client import Tryon, keyframe

PICTURES = keyframe("transparent_no_pose")


async def seconds(tryon, mode="keyframe", **options):
    began = time.perf_counter()
    await tryon.dress(PICTURES, mode, **options)
    return time.perf_counter() - began


async def beside_a_capture(tryon, rounds):
    """Median times of keyframes alone and during a capture, alternating."""
    alone, beside, captures = [], [], []
    for _ in range(3):
        alone += [await seconds(tryon) for _ in range(rounds)]
        capture = asyncio.create_task(seconds(tryon, "capture"))
        await asyncio.sleep(0.2)
        while not capture.done():
            duration = await seconds(tryon)
            if not capture.done():
                beside.append(duration)
        captures.append(await capture)
    return {
        "keyframe_alone_ms": 1000 * statistics.median(alone),
        "keyframe_beside_capture_ms": 1000 * statistics.median(beside),
        "ratio": statistics.median(beside) / statistics.median(alone),
        "capture_beside_keyframes_ms": 1000 * statistics.median(captures),
        "capture_alone_ms": 1000 * await seconds(tryon, "capture"),
    }


async def many_users(tryon, users, rounds):
    """Figures of `users` who each send the next keyframe when the last one is answered."""
    inferences, executions = await tryon.statistics("unet")
    began = time.perf_counter()

    async def session():
        return [await seconds(tryon) for _ in range(rounds)]

    durations = [*chain(*await asyncio.gather(*(session() for _ in range(users))))]
    elapsed = time.perf_counter() - began
    after = await tryon.statistics("unet")
    return {
        "users": users,
        "keyframes_per_s": users * rounds / elapsed,
        "p50_ms": 1000 * statistics.median(durations),
        "most_ms": 1000 * max(durations),
        "unet_rows_per_execution": (after[0] - inferences) / (after[1] - executions),
    }


async def measure(address, rounds):
    async with Tryon.connect(address) as tryon:
        for _ in range(3):
            await seconds(tryon)
        return {
            "beside_a_capture": await beside_a_capture(tryon, rounds),
            "many_users": [await many_users(tryon, users, rounds) for users in (1, 2, 4, 8)],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--triton", help="gRPC address of a running Triton; by default a stack is started")
    parser.add_argument("--rounds", type=int, default=7, help="keyframes of each user (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="also write the result to this JSON file")
    args = parser.parse_args()
    origin = provenance()
    with ready_stack(triton_grpc=args.triton) as stack:
        result = asyncio.run(measure(stack.triton_grpc, args.rounds)) | origin
    if args.output:
        args.output.write_text(json.dumps(result, indent=2) + "\n")
    print_table(result)


def print_table(result):
    beside = result["beside_a_capture"]
    print(f"keyframe alone                 {beside['keyframe_alone_ms']:8.0f} ms")
    print(f"keyframe beside a capture      {beside['keyframe_beside_capture_ms']:8.0f} ms")
    print(f"  ratio                        {beside['ratio']:8.2f}")
    print(f"capture alone                  {beside['capture_alone_ms']:8.0f} ms")
    print(f"capture beside keyframes       {beside['capture_beside_keyframes_ms']:8.0f} ms")
    print(f"\n{'users':>5}{'keyframes/s':>14}{'p50 ms':>10}{'most ms':>10}{'rows a UNet call':>19}")
    for row in result["many_users"]:
        print(
            f"{row['users']:>5}{row['keyframes_per_s']:>14.2f}{row['p50_ms']:>10.0f}{row['most_ms']:>10.0f}"
            f"{row['unet_rows_per_execution']:>19.2f}"
        )


if __name__ == "__main__":
    sys.exit(run("scheduling", main))
