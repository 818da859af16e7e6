"""`python -m benchmarks.moving`: who moves, how far is what is shown from the photograph of that very frame?

Generated people in jackets of several fabrics walk, sway and turn; the truth is known for each of the 30
frames a second. Shown are: the existing frontend's blend (70 % of the newest picture over the live render),
the newest picture itself and client.js, which lays the newest light on the live render. The answers come from
the shipped checkpoint on the real Triton, and count as arriving `--latency` seconds after their frame. The
whole clip is also sent to `POST /api/video`, as H.264 and a layer of VP9 with alpha. Writes errors, verdicts,
contact sheets and films (H.264) to build/benchmarks/moving/.
"""

import argparse
import asyncio
import base64
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from benchmarks.command_line import run
from benchmarks.moving.displays import blended, drawn, lit
from benchmarks.moving.film import MOTIONS, RATE, SIZE, Moment, film
from benchmarks.moving.service import dressed_film
from benchmarks.moving.verdicts import verdicts
from benchmarks.picture.cases import webcam_scenes
from benchmarks.picture.metrics import signed_distance
from benchmarks.picture.sheet import write_sheet
from benchmarks.verdict import print_verdicts
from frontend_proxy.videos.encoder import Encoder
from pipeline.light.composing import PlacedLight
from tests import films
from tests.stack import Stack, running_stack
from tests.tryon_client import Tryon

INTERVALS = {"every 1.5 s": 1.5, "every 0.5 s": 0.5, "as fast as they come": 0.0}
KINDS = {"blend": "jpeg", "picture": "jpeg", "light": "light"}


async def answers(
    tryon: Tryon, moments: list[Moment], interval: float, latency: float, kind: str, session: str
) -> list[tuple[float, dict]]:
    """When each answer arrives, and what it is. kind: an output format."""
    found, due = [], 0.0
    for moment in moments:
        if moment.time + 1e-6 < due:
            continue
        answer = await tryon.dress(moment.keyframe(), seed=7, output_format=kind, session=session)
        found.append((moment.time + latency, answer | {"landmarks": moment.landmarks}))
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
            earlier = newest[0][1][0] if len(newest) == 2 else None
            pictures.append(lit(moment, *answer, earlier, age))
        else:
            pictures.append(blended(moment, answer, age) if way == "blend" else answer)
    return pictures


def errors(moments: list[Moment], pictures: list[np.ndarray], since: float) -> dict[str, float]:
    """Root mean square of the difference to the photograph, in grey levels, from the first answer on; and how
    much the garment's brightness changes from frame to frame beyond what the photograph's does."""
    inside, edge, levels = [], [], []
    for moment, picture in zip(moments, pictures, strict=True):
        if moment.time < since:
            continue
        squared = (picture.astype(np.float32) - moment.truth) ** 2
        distance = signed_distance(moment.mask)
        inside.append(squared[distance > 4].mean())
        edge.append(squared[np.abs(distance) <= 4].mean())
        levels.append(picture[distance > 4].mean() - moment.truth[distance > 4].mean())
    means = {name: float(np.sqrt(np.mean(it))) for name, it in (("inside", inside), ("edge", edge))}
    return {**means, "flicker": float(np.abs(np.diff(levels)).mean())}


def encoded(moments: list[Moment], pictures: list[np.ndarray]) -> list[np.ndarray]:
    """The pictures after the service's encoder, which makes a film's brightness change by 0.3 grey levels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        encoder = Encoder(path, SIZE)
        for moment, picture in zip(moments, pictures, strict=True):
            encoder.write(picture, moment.time)
        encoder.close()
        return films.read(path)


def _picture(answer: dict) -> np.ndarray:
    return cv2.imdecode(answer["image"], cv2.IMREAD_COLOR)


def _light(answer: dict) -> tuple[PlacedLight, np.ndarray]:
    """The light, and its keyframe's landmarks."""
    told = answer["report"]["light"]
    hidden = told["occlusion"] and base64.b64decode(told["occlusion"])
    return PlacedLight.of(answer["image"].tobytes(), told, hidden or None), answer["landmarks"]


async def measure(args: argparse.Namespace, stack: Stack) -> list[dict]:
    """A row for each film, interval and way."""
    latencies = {"jpeg": args.latency, "light": args.light_latency}
    since, rows = max(latencies.values()), []
    async with Tryon.connect(stack.triton_grpc) as tryon:
        scenes = webcam_scenes(args.scenes)
        for number, (motion, how) in enumerate(MOTIONS.items()):
            scene = scenes[number % len(scenes)]
            moments = list(film(scene, args.seconds, how))
            about = {"motion": motion, "fabric": scene.fabric}
            last = {}
            for interval, seconds in INTERVALS.items():
                arrivals = {
                    kind: await answers(tryon, moments, seconds, latency, kind, f"{number} {interval} {kind}")
                    for kind, latency in latencies.items()
                }
                for way, kind in KINDS.items():
                    pictures = shown(moments, arrivals[kind], way)
                    rows.append(
                        {**about, "way": way, "keyframes": interval, **errors(moments, pictures, since)}
                    )
                    if seconds == 1.5:
                        last[way] = pictures
            film_by_service = await asyncio.to_thread(dressed_film, stack.url, moments)
            as_film = encoded(moments, last["light"])
            for way, keyframes, pictures in (
                ("film", "each frame", film_by_service),
                ("light as a film", "every 1.5 s", as_film),
            ):
                rows.append({**about, "way": way, "keyframes": keyframes, **errors(moments, pictures, since)})
            _write(moments, [*last.values(), film_by_service], args.output, motion.replace(" ", "-"))
    return rows


def _write(moments: list[Moment], ways: list[list[np.ndarray]], folder: Path, name: str) -> None:
    """A contact sheet and a film: blend, picture, light (every 1.5 s), the service's film, the photograph."""
    columns = [*ways, [moment.truth for moment in moments]]
    chosen = range(RATE, len(moments), max(1, len(moments) // 6))
    write_sheet([[column[at] for column in columns] for at in chosen], folder / f"{name}.png")
    encoder = Encoder(folder / f"{name}.mp4", (len(columns) * SIZE[0], SIZE[1]))
    for at, moment in enumerate(moments):
        encoder.write(np.hstack([column[at] for column in columns]), moment.time)
    encoder.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=4, help="people and jackets; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each film; default: %(default)s")
    parser.add_argument("--latency", type=float, default=0.25, help="of a picture; default: %(default)s s")
    parser.add_argument("--light-latency", type=float, default=0.15, help="default: %(default)s s")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/moving"))
    args = parser.parse_args()
    if args.seconds < 2:
        parser.error("--seconds: at least 2, since a film is judged from its first second on")
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        stack.wait_until(lambda health: health["ai_model_loaded"])
        rows = asyncio.run(measure(args, stack))
    found = verdicts(rows)
    report = {"verdicts": [asdict(it) for it in found], "rows": rows, "seconds": args.seconds}
    (args.output / "moving.json").write_text(json.dumps(report, indent=2) + "\n")
    for row in rows:
        print("  ".join(f"{it:.2f}" if isinstance(it, float) else f"{it!s:20}" for it in row.values()))
    print_verdicts(found)


if __name__ == "__main__":
    sys.exit(run("bench-moving", main))
