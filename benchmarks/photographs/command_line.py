"""What the commands on photographs share: their options, whom they ask for answers, and what they write."""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.photographs.dressing import Dress, in_this_process, through_the_server
from benchmarks.photographs.scene import Scene, scenes_in
from benchmarks.picture.sheet import write_sheet
from training.arguments import positive

T = TypeVar("T")

CHECKPOINT = Path("export/checkpoints/lucy-tiny")


def add_scenes(parser: argparse.ArgumentParser) -> None:
    """The arguments of `scenes_of`."""
    parser.add_argument("scenes", type=Path, help="a folder of scenes")
    parser.add_argument("--most", type=positive, help="so many scenes of it, evenly spread (default: all)")


def scenes_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[Scene]:
    """The scenes that the arguments name. Without any it ends the command, and says so in a sentence."""
    try:
        return scenes_in(args.scenes, args.most)
    except FileNotFoundError as error:
        parser.error(str(error))


def add_options(parser: argparse.ArgumentParser, output: str) -> None:
    """output: the default folder."""
    parser.add_argument("--in-process", action="store_true", help="without a server")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="in-process: default %(default)s")
    parser.add_argument("--triton-grpc", help="address of a running Triton (default: start a stack)")
    parser.add_argument("--output", type=Path, default=Path(output))


def answered(args: argparse.Namespace, examine: Callable[[Dress], Coroutine[Any, Any, T]]) -> T:
    """What `examine` finds with the answers of whom the options name."""

    async def work() -> T:
        chosen = in_this_process(args.checkpoint) if args.in_process else through_the_server(args.triton_grpc)
        async with chosen as dress:
            return await examine(dress)

    return asyncio.run(work())


def write(folder: Path, name: str, report: dict[str, Any], rows: list[list[np.ndarray]]) -> None:
    """The report as `name`, and the sheet as scenes.png."""
    folder.mkdir(parents=True, exist_ok=True)
    write_sheet(rows, folder / "scenes.png")
    (folder / name).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
