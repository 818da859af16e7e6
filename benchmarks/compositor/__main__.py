"""`python -m benchmarks.compositor`: what a frame costs a browser that lays a light on a live jacket.

client.js's compositor draws 1280×720 frames of a moving jacket in a headless Chromium, 30 a second by its
clock: on one canvas with the frame, and over the page's own video. Without a GPU it computes in JavaScript;
the last cases are WebGL on the processor (SwiftShader). Figures: milliseconds until a frame's pixels are
there, and processor time of all of Chromium's processes beyond that of the page's own drawing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, Route, sync_playwright

from benchmarks.browser import chromium
from benchmarks.command_line import run
from benchmarks.compositor.scene import SIZE, scene
from benchmarks.provenance import provenance
from tests.studio.conftest import FLAGS

STUDIO = Path("frontend_proxy/studio")
PAGE = (Path(__file__).parent / "page.js").read_text()
OUTPUT = Path("build/benchmarks/compositor.json")
WARM_UP = 8  # frames, in which shaders are compiled
CASES: dict[str, dict[str, bool]] = {
    "one canvas, transparent render": {},
    "one canvas, opaque render": {"opaque": True},
    "over the video, transparent render": {"over": True},
    "over the video, opaque render": {"over": True, "opaque": True},
    "over the video, the jacket is still": {"over": True, "fresh": False},
    "one canvas, by WebGL": {"webgl": True},
    "over the video, by WebGL": {"over": True, "webgl": True},
}


def served(folder: Path, route: Route) -> None:
    name = route.request.url.partition("localhost/")[2]
    path = folder / name.removeprefix("studio/")
    if not name:
        route.fulfill(body="<!doctype html><title>compositor</title>", content_type="text/html")
    elif path.is_file():
        route.fulfill(body=path.read_bytes(), content_type="text/javascript")
    else:
        route.fulfill(status=404)


def processor_seconds() -> float:
    """Of all processes below this one: Chromium's, and Playwright's, which is idle."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def frames(page: Page, count: int, **options: bool) -> tuple[list[float], float]:
    """Milliseconds of each, and processor milliseconds a frame."""
    before = processor_seconds()
    times = page.evaluate("([count, options]) => frames(count, options)", [count, options])
    return times, 1000 * (processor_seconds() - before) / count


def measure(browser: Browser, folder: Path, case: str, count: int) -> dict[str, object]:
    options = CASES[case]
    fresh = options.get("fresh", True)
    page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    page.route("**/*", lambda route: served(folder, route))
    page.goto("http://localhost/")
    page.evaluate(PAGE, scene(options.get("opaque", False)))
    found = page.evaluate(
        "(options) => begin(options)", {name: options.get(name) for name in ("over", "webgl")}
    )
    frames(page, WARM_UP)
    own = frames(page, count, draw=False, fresh=fresh)[1]
    times, all_of_it = frames(page, count, fresh=fresh)
    page.close()
    return {
        **found,
        "median_ms": round(statistics.median(times), 1),
        "mean_ms": round(statistics.mean(times), 1),
        "processor_ms": round(all_of_it - own, 1),
    }


def earlier_version(commit: str, folder: Path) -> Path:
    """The studio's files of a commit."""
    archive = subprocess.run(["git", "archive", commit, str(STUDIO)], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=archive)
    return folder / STUDIO


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=60, help="default: %(default)s")
    parser.add_argument(
        "--against", metavar="COMMIT", help="measure that commit's compositor in the same run, too"
    )
    parser.add_argument(
        "--flag", action="append", default=[], help="a flag for Chromium, such as --flag=--use-angle=gl"
    )
    parser.add_argument("--case", action="append", choices=CASES, help="only this one; may be repeated")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: %(default)s")
    args = parser.parse_args()
    executable = chromium()
    report: dict[str, object] = {**provenance(), "size": SIZE, "covered": scene(False)["covered"]}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        versions = {"this": STUDIO}
        if args.against:
            versions[args.against] = earlier_version(args.against, Path(folder))
        with playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *args.flag]) as browser:
            report["cases"] = {
                case: {name: measure(browser, it, case, args.frames) for name, it in versions.items()}
                for case in args.case or CASES
            }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run("bench-compositor", main))
