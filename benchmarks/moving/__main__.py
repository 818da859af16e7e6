"""`python -m benchmarks.moving`: who moves, how far is what is shown from the photograph of that very frame?

A generated person walks, sways and turns; the truth is known for each of the 30 frames a second. Shown are:
the existing frontend's blend (70 % of the newest picture over the live render), the newest picture itself and
client.js, which lays the newest light on the live render. The answers come from the shipped checkpoint on the
real Triton, and count as arriving `--latency` seconds after their frame. Writes errors, a contact sheet and a
film to build/benchmarks/moving/.
"""

import argparse
import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.moving.displays import Light, blended, drawn, lit
from benchmarks.moving.film import RATE, SIZE, Moment, film
from benchmarks.picture.cases import webcam_scenes
from benchmarks.picture.metrics import signed_distance
from benchmarks.picture.sheet import write_sheet
from serving.command_line import run
from tests.stack import running_stack
from tests.tryon_client import Tryon

INTERVALS = {"every 1.5 s": 1.5, "every 0.5 s": 0.5, "as fast as they come": 0.0}


async def answers(
    tryon: Tryon, moments: list[Moment], interval: float, latency: float, kind: str, session: str
) -> list[tuple[float, dict]]:
    """When each answer arrives, and what it is. kind: an output format."""
    found, due = [], 0.0
    for moment in moments:
        if moment.time + 1e-6 < due:
            continue
        answer = await tryon.dress(moment.keyframe(), seed=7, output_format=kind, session=session)
        found.append((moment.time + latency, answer))
        due = moment.time + max(interval, latency)
    return found


def shown(moments: list[Moment], arrivals: list[tuple[float, dict]], way: str) -> list[np.ndarray]:
    """Every displayed frame. way: blend, picture or light."""
    ready = [(time, _light(it) if way == "light" else _picture(it)) for time, it in arrivals]
    pictures = []
    for moment in moments:
        newest = [pair for pair in ready if pair[0] <= moment.time][-2:]
        if not newest:
            pictures.append(drawn(moment))
            continue
        time, answer = newest[-1]
        age = moment.time - time
        if way == "light":
            pictures.append(lit(moment, answer, newest[0][1] if len(newest) == 2 else None, age))
        else:
            pictures.append(blended(moment, answer, age) if way == "blend" else answer)
    return pictures


def errors(moments: list[Moment], pictures: list[np.ndarray], since: float) -> dict[str, float]:
    """Root mean square of the difference to the photograph, in grey levels, from the first answer on."""
    inside, edge = [], []
    for moment, picture in zip(moments, pictures, strict=True):
        if moment.time < since:
            continue
        squared = (picture.astype(np.float32) - moment.truth) ** 2
        distance = signed_distance(moment.mask)
        inside.append(squared[distance > 4].mean())
        edge.append(squared[np.abs(distance) <= 4].mean())
    return {name: round(float(np.sqrt(np.mean(it))), 2) for name, it in (("inside", inside), ("edge", edge))}


def _picture(answer: dict) -> np.ndarray:
    return cv2.imdecode(answer["image"], cv2.IMREAD_COLOR)


def _light(answer: dict) -> Light:
    told = answer["report"]["light"]
    hidden = told["occlusion"] and np.frombuffer(base64.b64decode(told["occlusion"]), np.uint8)
    return Light(
        answer["image"], told, None if hidden is None else cv2.imdecode(hidden, cv2.IMREAD_GRAYSCALE)
    )


async def measure(args: argparse.Namespace, address: str) -> dict:
    table: dict[str, dict[str, list[dict[str, float]]]] = {}
    async with Tryon.connect(address) as tryon:
        for number, scene in enumerate(webcam_scenes(args.scenes)):
            moments = list(film(scene, args.seconds))
            last = {}
            for name, interval in INTERVALS.items():
                arrivals = {
                    kind: await answers(tryon, moments, interval, latency, kind, f"{name} {kind} {number}")
                    for kind, latency in (("jpeg", args.latency), ("light", args.light_latency))
                }
                for way, kind in (("blend", "jpeg"), ("picture", "jpeg"), ("light", "light")):
                    pictures = shown(moments, arrivals[kind], way)
                    since = max(args.latency, args.light_latency)
                    table.setdefault(way, {}).setdefault(name, []).append(errors(moments, pictures, since))
                    if interval == 1.5:
                        last[way] = pictures
            _write(moments, last, args.output, number)
    return {
        way: {
            name: {key: round(float(np.mean([row[key] for row in rows])), 2) for key in rows[0]}
            for name, rows in ways.items()
        }
        for way, ways in table.items()
    }


def _write(moments: list[Moment], last: dict[str, list[np.ndarray]], folder: Path, number: int) -> None:
    """A contact sheet and a film: blend, picture, light (every 1.5 s) and the photograph."""
    chosen = range(RATE, len(moments), max(1, len(moments) // 6))
    rows = [[last[way][at] for way in ("blend", "picture", "light")] + [moments[at].truth] for at in chosen]
    write_sheet(rows, folder / f"scene{number}.png")
    writer = cv2.VideoWriter(
        str(folder / f"scene{number}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), RATE, (4 * SIZE[0], SIZE[1])
    )
    for at, moment in enumerate(moments):
        writer.write(np.hstack([last[way][at] for way in ("blend", "picture", "light")] + [moment.truth]))
    writer.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=6.0, help="default: %(default)s")
    parser.add_argument("--latency", type=float, default=0.25, help="of a picture; default: %(default)s s")
    parser.add_argument("--light-latency", type=float, default=0.15, help="default: %(default)s s")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/moving"))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        table = asyncio.run(measure(args, stack.triton_grpc))
    met = {
        "light every 1.5 s is better than the blend every 0.5 s, inside and at the edge": all(
            table["light"]["every 1.5 s"][where] < table["blend"]["every 0.5 s"][where]
            for where in ("inside", "edge")
        )
    }
    report = {"met": met, "error in grey levels": table, "seconds": args.seconds, "scenes": args.scenes}
    (args.output / "moving.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    sys.exit(run("bench-moving", main))
