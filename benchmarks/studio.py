"""`python -m benchmarks.studio`: the pictures in docs/studio.md, from a real server and a real browser.

Writes studio.jpg and studio-fabrics.jpg to benchmarks/results/. With --url it photographs a running server.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.browser import chromium
from benchmarks.command_line import run
from tests.stack import running_stack
from tests.studio.cloth import photograph
from tests.studio.conftest import FLAGS

RESULTS = Path("benchmarks/results")
VIEWPORT = {"width": 1280, "height": 800}
QUALITY = 88  # of the JPEGs
WITHIN_MS = 120_000


def try_on(page: Page, url: str) -> bytes:
    """The portrait in corduroy, whose cut and light are seen, the border to the left of the middle."""
    page.goto(f"{url}/studio")
    page.get_by_role("radio", name="corduroy").check(force=True)
    expect(page.locator(".stage[data-right=light]")).to_be_visible()
    page.get_by_role("slider").fill("42")
    page.wait_for_timeout(900)  # the light has eased in
    return page.screenshot(full_page=True)


def fabrics(page: Page, url: str, folder: Path) -> bytes:
    """A piece of plaid on a table, scanned."""
    page.goto(f"{url}/studio#fabrics")
    photo = photograph(folder / "attic_plaid.jpg")
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(photo)
    expect(page.locator(".scan-state")).to_have_text("The cloth's corners were found.")
    expect(page.locator(".tile-stage canvas[data-fabric^=custom-]")).to_be_visible()
    page.wait_for_timeout(1500)
    return page.screenshot(full_page=True)


def write(screenshot: bytes, name: str) -> None:
    picture = cv2.imdecode(np.frombuffer(screenshot, np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(RESULTS / name), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", help="of a running server; by default one is started")
    args = parser.parse_args()
    executable = chromium()
    expect.set_options(timeout=WITHIN_MS)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        url = args.url
        if url is None:
            stack = opened.enter_context(running_stack(folder))
            stack.wait_until(lambda health: health["ai_model_loaded"])
            url = stack.url
        playwright = opened.enter_context(sync_playwright())
        browser = opened.enter_context(playwright.chromium.launch(executable_path=executable, args=FLAGS))
        page = browser.new_page(viewport=VIEWPORT, reduced_motion="reduce", color_scheme="light")
        page.set_default_timeout(WITHIN_MS)
        write(try_on(page, url), "studio.jpg")
        write(fabrics(page, url, folder), "studio-fabrics.jpg")
    return 0


if __name__ == "__main__":
    sys.exit(run("studio", main))
