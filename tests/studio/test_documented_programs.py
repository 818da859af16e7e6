"""The programs of docs/client.md and docs/websocket.md in a page, as they stand, before the real server."""

import json
import re
from pathlib import Path

import pytest

from tests.studio.cloth import photograph
from tests.studio.conftest import PORTRAIT, until
from tests.studio.test_light import uri

PROGRAMS = {
    name: re.findall(r"```js\n(.*?)```", Path(f"docs/{name}.md").read_text(), re.DOTALL)
    for name in ("client", "websocket")
}
LIVE_TRY_ON, LIVE, LIGHT, CAPTURE, FABRICS = PROGRAMS["client"]
[MSGPACK] = PROGRAMS["websocket"]
RENDER = Path("tests/data/keyframes/transparent_no_pose/jacket_render.png")
MARKS = json.loads(PORTRAIT.with_suffix(".json").read_text())
CORNERS = [[0.2, 0.15], [0.8, 0.15], [0.8, 0.85], [0.2, 0.85]]
LUCY = (
    'import { LucyClient } from "https://tryon.example.com/studio/client.js"; const lucy = new LucyClient();'
)
# What a page has already: its canvases, its pose, and what it does with what comes.
PAGE = """
  const blobOf = async (uri) => (await fetch(uri)).blob();
  const canvasOf = async (uri) => {
    const bitmap = await createImageBitmap(await blobOf(uri));
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas;
  };
  const camera = await canvasOf(given.portrait), video = camera, jacketCanvas = await canvasOf(given.jacket);
  const renderer = { domElement: jacketCanvas };
  const pictures = [given.portrait, given.jacket, given.cloth];
  const [user_image, jacket_render, photo] = await Promise.all(pictures.map(blobOf));
  const { landmarks, corners } = given;
  const apiKey = null, baseUrl = location.origin, fabric_id = "denim-blue";
  document.body.prepend(document.createElement("canvas"));
  window.calls = [];
  const kind = (value) => value?.constructor?.name ?? null;
  const called = (name) => (...values) => { calls.push([name, ...values.map(kind)]); };
  const [show, say, warn, progress, add] = ["show", "say", "warn", "progress", "add"].map(called);
"""


def as_script(program, origin):
    """An evaluated script has no import statements, and the program's server is the one that runs."""
    program = re.sub(
        r'import \{ ([\w, ]+) \} from "https://tryon.example.com(.*?)";',
        r'const { \1 } = await import("\2");',
        program,
    )
    program = program.replace(
        'import { decode, encode } from "@msgpack/msgpack";',
        'const { decode } = await import("/studio/vendor/msgpack/decode.mjs"); '
        'const { encode } = await import("/studio/vendor/msgpack/encode.mjs");',
    )
    return program.replace("https://tryon.example.com", origin).replace(
        "ws://localhost:5000", "ws" + origin[4:]
    )


@pytest.fixture
def follow(open_studio, stack, tmp_path):
    """Runs a program in a page. Returns the page and the program's last value."""
    given = {
        "portrait": uri(PORTRAIT.read_bytes(), "jpeg"),
        "jacket": uri(RENDER.read_bytes(), "png"),
        "cloth": uri(photograph(tmp_path / "cloth.jpg").read_bytes(), "jpeg"),
        "landmarks": MARKS,
        "corners": CORNERS,
    }

    def follow(program, value="null"):
        page = open_studio("server")
        script = f"async (given) => {{ {PAGE} {as_script(program, stack.url)}; return {value}; }}"
        return page, page.evaluate(script, given)

    return follow


def until_shown(page):
    until(page, "calls.some(([name]) => name === 'show')")
    return page.evaluate("calls")


@pytest.mark.nightly
def test_live(follow):
    page, _ = follow(LIVE)
    calls = until_shown(page)
    assert ["show", "Blob", "String"] in calls
    assert ["say", "String"] in calls
    assert not [call for call in calls if call[0] == "warn"]


@pytest.mark.nightly
def test_live_light(follow):
    page, _ = follow(LIGHT, "(window.compositor = compositor, null)")
    until(page, "compositor.lit")


@pytest.mark.nightly
def test_a_page_with_buttons_of_its_own(follow):
    page, images = follow(LIVE_TRY_ON, "result.images.length")
    assert images == 2
    assert ["show", "Object"] in page.evaluate("calls")


@pytest.mark.nightly
def test_a_capture(follow):
    page, seeds = follow(f"{LUCY} {CAPTURE}", "result.images.map(({ seed }) => seed)")
    assert seeds == [7, 8, 9, 10]
    calls = page.evaluate("calls")
    assert sum(name == "add" for name, *_ in calls) == 4
    assert any(name == "progress" for name, *_ in calls)


@pytest.mark.nightly
def test_fabrics(follow):
    _, (name, file) = follow(f"{LUCY} {FABRICS}", "[saved.name, file.name]")
    assert name == "Attic wool"
    assert file.endswith(".usdz")


@pytest.mark.nightly
def test_messagepack(follow):
    page, _ = follow(MSGPACK)
    assert ["show", "String"] in until_shown(page)
