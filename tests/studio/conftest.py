"""A headless Chromium, whose camera shows the sample portrait, before the running stack."""

import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # CI runs as root
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--enable-unsafe-swiftshader",  # WebGL without a GPU
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WITHIN_MS = 60_000  # on a machine that is busy with other things too
PORTRAIT = Path("frontend_proxy/studio/portrait.jpg")
SCREENSHOTS = Path("build/studio")
CLIENT = "const { LucyClient } = await import('/studio/client.js'); "
KEEP_CAMERA = """
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await open(wanted));
"""

expect.set_options(timeout=WITHIN_MS)


# Of a module: while it runs, this thread has an event loop, and no async test could run between.
@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("there is no Chromium on the PATH; `apt install chromium` brings one")
    film = tmp_path_factory.mktemp("camera") / "portrait.mjpeg"  # one JPEG, again and again
    film.write_bytes(PORTRAIT.read_bytes())
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=executable, args=flags) as browser,
    ):
        yield browser


@pytest.fixture
def open_studio(browser, stack):
    """Opens the studio at a tab. In the end no console may have had an error, and no request left the origin.

    `forgiven` is what the errors may hold that the test provokes.
    """
    origins = (stack.url, stack.url.replace("http", "ws", 1), "data:", "blob:")
    contexts, errors, foreign = [], [], []

    def open_at(tab="tryon", forgiven=None, prepare=lambda page: None, **options):
        def complain(text):
            if forgiven is None or forgiven not in text:
                errors.append(text)

        def check_origin(request):
            if not request.url.startswith(origins):
                foreign.append(request.url)

        # Without a GPU, what moves takes the processor from all else.
        calm = {"viewport": DESKTOP, "reduced_motion": "reduce"}
        context = browser.new_context(base_url=stack.url, **{**calm, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", lambda message: complain(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("request", check_origin)
        page.on("websocket", check_origin)
        prepare(page)
        page.goto(f"/studio#{tab}")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []


def until(page, condition):
    """Waits in the page, whose policy forbids what Playwright's `wait_for_function` does."""
    deadline = time.monotonic() + WITHIN_MS / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


@pytest.fixture
def run(open_studio):
    """Runs a script as a frontend would, on the tab that opens no session of its own."""

    def run(script, socket=None, forgiven=None):
        prepare = socket.route if socket else lambda page: None
        page = open_studio("server", prepare=prepare, forgiven=forgiven)
        return page.evaluate(f"async () => {{ {CLIENT} {script} }}")

    return run


@pytest.fixture
def screenshot():
    """Writes build/studio/NAME.png."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def write(page, name):
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return write
