"""`lucy batch FOLDER`, which is also `python -m frontend_proxy.batch FOLDER`."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lucy_client import models
from lucy_client.client import Lucy
from lucy_client.errors import LucyError
from lucy_client.folder import captures_of, pictures_of
from lucy_client.options import add_fields, add_server, given, run_on_server
from lucy_client.pictures import Picture, sizes

CHUNK = 500  # captures of one batch, which a server takes at most 1000 of
CHUNK_BYTES = 48 * 2**20  # of their pictures; a server takes a body of at most 64 MiB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="with people/ and garments/ or renders/, or captures.jsonl")
    parser.add_argument(
        "-o", "--out", type=Path, help="the folder for the pictures; FOLDER/results by default"
    )
    add_fields(parser, "a field of every capture")


def run(lucy: Lucy, arguments: argparse.Namespace) -> int:
    """Returns the exit status: 1 if a capture failed."""
    out: Path = arguments.out or arguments.folder / "results"
    captures = captures_of(arguments.folder, given(arguments.set))
    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    with (
        tqdm(total=len(captures), unit="picture") as bar,
        (out / "results.jsonl").open("w") as results,
    ):
        for start, chunk in _chunks(captures):
            for line in _made(lucy, chunk, start, bar):
                failed += line.state != "succeeded"
                results.write(line.model_dump_json() + "\n")
                for name, url in pictures_of(line):
                    (out / name).write_bytes(lucy.download(url))
    print(f"{len(captures) - failed} of {len(captures)} pictures are in {out}")
    return 1 if failed else 0


def _chunks(captures: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(place of its first capture, captures) of each batch, whose pictures are sent once."""
    start = 0
    pictures: dict[Picture, int] = {}
    for place, capture in enumerate(captures):
        its = sizes(capture)
        pictures |= its
        if place - start == CHUNK or (place > start and sum(pictures.values()) > CHUNK_BYTES):
            yield start, captures[start:place]
            start, pictures = place, its
    yield start, captures[start:]


def _made(lucy: Lucy, captures: list[dict[str, Any]], start: int, bar: Any) -> list[models.BatchLine]:
    """What became of each capture, by its place among all, and on the terminal why the failed ones did."""
    try:
        status = lucy.batch(captures)
    except LucyError as error:
        if error.status != 400:
            raise
        bar.update(len(captures))  # none of them can be made; others may
        tqdm.write(f"captures {start} to {start + len(captures) - 1}: {error}")
        return [_refused(capture, place, error) for place, capture in enumerate(captures, start)]

    def show(counts: models.BatchCounts) -> None:
        ended = start + counts.succeeded + counts.failed + counts.cancelled
        bar.update(ended - bar.n)

    try:
        lucy.wait_for_batch(status.batch_id, show)
    except KeyboardInterrupt:
        lucy.cancel_batch(status.batch_id)
        raise
    lines = lucy.batch_results(status.batch_id)
    for line in lines:
        line.index += start
        if line.failure is not None:
            tqdm.write(f"{line.custom_id or line.index}: {line.failure.error}")
    return lines


def _refused(capture: dict[str, Any], place: int, error: LucyError) -> models.BatchLine:
    failure = models.CaptureFailure(
        error=str(error),
        detail=str(error),
        code=error.code,
        request_id=error.request_id or "",
        status=error.status,
        retry_after=None,
    )
    return models.BatchLine(index=place, state="failed", custom_id=capture["custom_id"], failure=failure)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m frontend_proxy.batch", description="Dress a folder: every person in every garment."
    )
    add_server(parser)
    add_arguments(parser)
    return run_on_server(parser.prog, parser.parse_args(arguments), run)
