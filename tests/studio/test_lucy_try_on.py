"""`<lucy-try-on>` in a shop's page, against the real server."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.studio.conftest import KEEP_CAMERA, PORTRAIT
from tests.studio.shop import DOCUMENTED, Shop, served
from tests.studio.test_live import Line
from tests.studio.test_page import severe_findings

MARKS = json.loads(PORTRAIT.with_suffix(".json").read_text())
SOURCE = "http://localhost:5000/studio/lucy_try_on.js"
ELEMENT = "document.querySelector('lucy-try-on')"
NO_CAMERA = """
  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
  window.errors = [];
  addEventListener("lucy-error", ({ detail }) => errors.push(detail.message));
"""


def page_with(element, script=""):
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head>
      <body><main><h1>Shop</h1>{element}</main><script>const element = {ELEMENT}; {script}</script>
      <script type="module" src="{SOURCE}"></script></body></html>"""


@pytest.fixture
def shop(browser, stack, tmp_path):
    with served(tmp_path) as origin:
        shop = Shop(browser, tmp_path, origin, stack.url)
        yield shop
        shop.close()
    assert shop.errors == []


def says(page, text):
    expect(page.get_by_role("status")).to_have_text(text)


def shown(page):
    """The canvas' pixels, BGR."""
    uri = page.evaluate(f"{ELEMENT}.shadowRoot.querySelector('canvas').toDataURL()")
    return cv2.imdecode(np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8), 1)


def blue(page):
    """The share of the picture that has the jacket's colour; the portrait has none of it."""
    b, g, r = (channel.astype(int) for channel in cv2.split(shown(page)))
    return float(((b > 50) & (b > 1.8 * r) & (b > 1.3 * g)).mean())


def until_dressed(page, share=0.05):
    """Where the jacket comes from is the server: it alone knows where it lies on the body."""
    for _ in range(600):
        if blue(page) > share:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{blue(page):.3f} of the picture is the jacket")


@pytest.mark.nightly
def test_the_documented_page_by_keyboard(shop, screenshot):
    """Camera, live picture, capture with progress, and back, without a mouse or a serious finding."""
    assert len(DOCUMENTED.splitlines()) <= 25
    page = shop.open(DOCUMENTED, prepare=lambda page: page.add_init_script(KEEP_CAMERA))
    expect(page.get_by_role("button", name="Take the picture")).to_be_disabled()
    assert severe_findings(page) == []
    screenshot(page, "element-idle")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
    page.keyboard.press("Enter")
    says(page, "Live.")
    until_dressed(page)
    assert severe_findings(page) == []
    screenshot(page, "element-live")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Take the picture")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    says(page, re.compile(r"Step \d+ of \d+"))
    expect(page.get_by_role("progressbar", name="Progress of the picture")).to_be_visible()
    says(page, "Done.")
    expect(page.get_by_role("img", name="the finished picture")).to_be_visible()
    expect(page.locator("#kept")).to_have_text(re.compile(r"Your picture is kept until \d{4}-"))
    assert severe_findings(page) == []
    screenshot(page, "element-result")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "try-on.png"
    assert cv2.imread(str(download.value.path())).shape == cv2.imread(str(PORTRAIT)).shape
    page.get_by_role("button", name="Back to live").click()
    expect(page.get_by_role("img", name="You, wearing the garment", exact=True)).to_be_visible()
    page.evaluate(f"{ELEMENT}.remove()")
    assert page.evaluate("stream.getTracks().map((track) => track.readyState)") == ["ended"]


@pytest.mark.nightly
def test_without_a_camera_a_photo_and_another_language(shop):
    texts = "element.texts = { photo: 'Foto wählen', live: 'Live!' };"
    html = page_with('<lucy-try-on jacket="jacket.png"></lucy-try-on>', texts)
    # The page sets a property before the element's script is there.
    page = shop.open(html, prepare=lambda page: page.add_init_script(NO_CAMERA))
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("alert")).to_have_text("No camera was found.")
    assert page.evaluate("errors") == ["No camera was found."]
    assert severe_findings(page) == []
    page.get_by_label("Foto wählen").set_input_files(PORTRAIT)
    says(page, "Live!")
    expect(page.get_by_role("alert")).to_be_hidden()
    until_dressed(page)
    page.get_by_label("Foto wählen").set_input_files("pyproject.toml")
    expect(page.get_by_role("alert")).to_contain_text("not a picture")


@pytest.mark.nightly
def test_it_goes_on_while_the_server_is_away(shop, screenshot):
    line = Line()
    page = shop.open(
        page_with('<lucy-try-on jacket="jacket.png" autostart></lucy-try-on>'), prepare=line.route
    )
    until_dressed(page)
    line.break_off()
    says(page, "The server cannot be reached. What you see goes on; trying again …")
    screenshot(page, "element-away")
    assert blue(page) > 0.05, "the jacket stays, in the last light"
    expect(page.get_by_role("button", name="Stop")).to_be_enabled()
    line.cut = False
    says(page, "Live.")
    assert line.connections > 1


@pytest.mark.nightly
def test_a_server_that_was_never_there(shop):
    """The person is shown all the same; a capture says why there is none, and may be tried again."""
    html = page_with('<lucy-try-on server="http://127.0.0.1:1" jacket="jacket.png" autostart></lucy-try-on>')
    page = shop.open(html, forgiven=("127.0.0.1:1", "net::ERR"))
    says(page, re.compile("The server cannot be reached|Connecting"))
    expect(page.get_by_role("img", name="You, wearing the garment")).to_be_visible()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_role("alert")).to_contain_text("http://127.0.0.1:1 cannot be reached.")
    expect(page.get_by_role("button", name="Take the picture")).to_be_enabled()
    assert shown(page)[20:200, 200:300].std() > 10, "the camera's picture"


@pytest.mark.nightly
def test_under_a_strict_policy(shop, stack):
    """The policy is the one that docs/client.md tells."""
    server = stack.url
    policy = (
        f"default-src 'none'; script-src {server} 'wasm-unsafe-eval'; "
        f"connect-src 'self' {server} {server.replace('http', 'ws', 1)}; img-src data:; worker-src blob:"
    )
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
      <meta http-equiv="Content-Security-Policy" content="{policy}">
      <script type="module" src="{SOURCE}"></script></head>
      <body><lucy-try-on jacket="jacket.png" autostart></lucy-try-on></body></html>"""
    page = shop.open(html, ("favicon.ico",))
    until_dressed(page)
    says(page, "Live.")
    page.get_by_role("button", name="Take the picture").click()
    says(page, "Done.")
    expect(page.get_by_role("img", name="the finished picture")).to_be_visible()


@pytest.mark.nightly
def test_a_camera_that_is_unplugged_and_a_jacket_that_is_not_there(shop):
    """Both say so, and can be tried again."""
    html = page_with('<lucy-try-on jacket="gone.png"></lucy-try-on>')
    page = shop.open(html, ("404",), lambda page: page.add_init_script(KEEP_CAMERA))
    for _ in range(2):  # also after the start
        expect(page.get_by_role("alert")).to_have_text(
            re.compile("gone.png cannot be loaded: .* answered 404.")
        )
        page.get_by_role("button", name=re.compile("Start|Stop")).click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("img", name="You, wearing the garment")).to_be_visible()
    page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert")).to_have_text("The camera has stopped. Start it again.")
    page.evaluate(f"{ELEMENT}.setAttribute('jacket', 'jacket.png')")
    page.get_by_role("button", name="Start the camera").click()
    until_dressed(page)
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.nightly
def test_a_wrong_key_and_the_right_one(shop, stack):
    """The server is asked for no picture until there is another key."""
    line = Line()
    line.cut = True
    refusal = {"success": False, "error": "this key is not known", "code": "UNAUTHORIZED"}

    def refuse(route):
        line.cut = route.request.headers["authorization"] != "Bearer right"
        if line.cut:
            route.fulfill(status=401, json=refusal, headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.continue_()

    def prepare(page):
        line.route(page)
        page.route("**/api/fabric/catalog?*", refuse)

    shop.holds("me.jpg", PORTRAIT.read_bytes())
    element = '<lucy-try-on photo="me.jpg" pose="none" jacket="jacket.png" api-key="wrong"></lucy-try-on>'
    page = shop.open(page_with(element), ("401",), prepare)
    expect(page.get_by_role("alert")).to_have_text("This key is not known.")
    tried = line.connections
    page.wait_for_timeout(1500)
    assert line.connections == tried
    line.cut = False
    page.evaluate(f"{ELEMENT}.setAttribute('api-key', 'right')")
    until_dressed(page)
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.nightly
def test_a_canvas_of_the_page_its_pose_and_the_server_s_pictures(shop):
    """What attributes cannot hold, set before the element's script is there; and the key is sent."""
    script = f"""
      const canvas = document.createElement("canvas");
      Object.assign(canvas, {{ width: 512, height: 512 }});
      const context = canvas.getContext("2d");
      context.fillStyle = "rgb(20, 40, 160)";
      context.fillRect(120, 260, 260, 250);
      element.jacket = canvas;
      element.landmarks = {json.dumps(MARKS)};
      window.answers = [];
      element.addEventListener("lucy-answer", ({{ detail }}) => answers.push(detail.answer));
    """
    shop.holds("me.jpg", PORTRAIT.read_bytes())
    asked, keys = [], []

    def watch(page):
        page.on("request", lambda request: asked.append(request.url))
        page.on("request", lambda request: keys.append(request.headers.get("authorization")))

    element = '<lucy-try-on photo="me.jpg" mode="picture" api-key="secret"></lucy-try-on>'
    page = shop.open(page_with(element, script), prepare=watch)
    until_dressed(page)
    page.wait_for_function("answers.length > 0")
    assert set(page.evaluate("answers")) == {"picture"}
    assert not [url for url in asked if "pose" in url and "vendor" in url], "the page has a pose of its own"
    result = page.evaluate(f"{ELEMENT}.capture({{ seed: 5, steps: 3 }})")
    assert (result["seed"], result["steps"], result["mode"]) == (5, 3, "ai_enhanced")
    assert "Bearer secret" in keys


@pytest.mark.nightly
def test_a_cancelled_capture_and_a_checkpoint_that_takes_no_photo_of_a_garment(shop):
    shop.holds("me.jpg", PORTRAIT.read_bytes())
    page = shop.open(page_with('<lucy-try-on photo="me.jpg" pose="none" jacket="jacket.png"></lucy-try-on>'))
    until_dressed(page)
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_role("button", name="Cancel").click()
    says(page, "Cancelled.")
    expect(page.get_by_role("button", name="Take the picture")).to_be_focused()
    page.get_by_role("button", name="Stop").click()
    page.evaluate(f"{ELEMENT}.removeAttribute('jacket'); {ELEMENT}.setAttribute('garment', 'jacket.png')")
    page.evaluate(f"{ELEMENT}.start()")
    says(page, re.compile("^The model was not used: this checkpoint puts on the jacket's render"))
