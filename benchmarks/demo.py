"""`make demo`: run the sample portrait through the proxy, and show the result.

    python -m benchmarks.demo                              # starts a stack with what was exported last
    python -m benchmarks.demo --url http://localhost:5000  # uses a running one

Writes a contact sheet and its pictures to build/demo/.
"""

import argparse
import base64
import io
import json
import sys
import time
from pathlib import Path

import httpx
from PIL import Image, ImageDraw, ImageFont
from websockets.sync.client import connect

from benchmarks import portrait
from benchmarks.command_line import run
from benchmarks.stack import ready_stack
from serving.exported import read_exported
from tests.stack import StackEnded

REPOSITORY = Path(__file__).resolve().parents[1] / "model_repository"
PANEL = 400  # pixels of each picture on the sheet
CAPTION = 34


def data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def from_data_uri(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def dress(url: str) -> dict[str, tuple[Image.Image, str]]:
    """The pictures by name, each with a caption that says how it was made."""
    frame, render = portrait.frame(), portrait.render()
    camera_frame = data_uri(portrait.encode(frame, ".jpg"), "image/jpeg")
    jacket_render = data_uri(portrait.encode(render, ".png"), "image/png")

    keyframe = {
        "type": "keyframe",
        "timestamp": 0,
        "camera_frame": camera_frame,
        "jacket_render": jacket_render,
    }
    for attempt in range(3):  # a session each, of which the first two warm the server up
        with connect(url.replace("http", "ws", 1) + "/ws", max_size=None, compression=None) as socket:
            socket.send(json.dumps(keyframe | portrait.message() | {"timestamp": attempt}))
            began = time.perf_counter()
            live = json.loads(socket.recv())
            live_seconds = time.perf_counter() - began
    if live["type"] != "keyframe_result":
        raise SystemExit(f"the keyframe failed: {live['error']}")

    began = time.perf_counter()
    answer = httpx.post(
        f"{url}/virtual-tryon",
        json={"user_image": camera_frame, "jacket_render": jacket_render, "seed": 0} | portrait.message(),
        timeout=300,
    )
    capture_seconds = time.perf_counter() - began
    capture = answer.json()
    if not capture["success"]:
        raise SystemExit(f"the capture failed: {capture['error']}")

    person = Image.fromarray(frame).convert("RGBA")
    drawn = Image.fromarray(render).resize(person.size)
    return {
        "frame": (person, "camera frame"),
        "render": (Image.alpha_composite(Image.new("RGBA", drawn.size, "#d8dce2"), drawn), "jacket render"),
        "composite": (Image.alpha_composite(person, drawn), "composite"),
        "keyframe": (
            from_data_uri(live["image"]),
            f"keyframe, {_steps(live.get('steps', 0))}, {live_seconds:.2f} s ({live['mode']})",
        ),
        "capture": (
            from_data_uri(capture["result_image"]),
            f"capture, {_steps(capture['steps'])}, {capture_seconds:.2f} s",
        ),
    }


def _steps(count: int) -> str:
    return f"{count} step{'s' if count != 1 else ''}"


def contact_sheet(pictures: dict[str, tuple[Image.Image, str]]) -> Image.Image:
    sheet = Image.new("RGB", (PANEL * len(pictures), PANEL + CAPTION), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    for column, (picture, caption) in enumerate(pictures.values()):
        shown = picture.convert("RGB").resize((PANEL, PANEL), Image.Resampling.LANCZOS)
        sheet.paste(shown, (column * PANEL, 0))
        draw.text((column * PANEL + PANEL // 2, PANEL + CAPTION // 2), caption, "black", font, anchor="mm")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", help="of a running proxy; by default a stack is started and ended")
    parser.add_argument("--output", type=Path, default=Path("build/demo"), help="default: %(default)s")
    args = parser.parse_args()
    if not args.url:
        print(f"Dressing the sample portrait with {read_exported(REPOSITORY)}.", flush=True)
    try:
        with ready_stack(f"--repository={REPOSITORY}", url=args.url) as stack:
            pictures = dress(stack.url)
    except StackEnded as error:
        raise SystemExit(f"demo: {error.reason}") from error
    args.output.mkdir(parents=True, exist_ok=True)
    for name, (picture, caption) in pictures.items():
        picture.save(args.output / f"{name}.png")
        print(f"{name:<10} {caption}")
    contact_sheet(pictures).save(args.output / "sheet.png")
    print(f"Contact sheet: {args.output / 'sheet.png'}")


if __name__ == "__main__":
    sys.exit(run("demo", main))
