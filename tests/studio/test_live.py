"""Live: what is displayed while the server is away, after a lost connection, and while nobody looks."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.studio.conftest import WITHIN_MS, until
from tests.studio.test_page import severe_findings
from tests.studio.test_tryon import Frames

LIT = ".stage[data-right=light]"
AWAY = """
  window.sockets = [];
  window.attempts = 0;
  const [Socket, ask] = [WebSocket, fetch];
  window.WebSocket = class extends Socket {
    constructor(url, protocols) {
      super(window.away ? url.replace("/ws", "/nowhere") : url, protocols);
      sockets.push(this);
      if (window.away) attempts += 1;
    }
  };
  window.fetch = async (...request) => {
    if (window.away) throw new TypeError("Failed to fetch");
    return ask(...request);
  };
"""


class Line:
    """The connection between page and server, which can be cut. While it is cut, no new one comes about."""

    def __init__(self):
        self.cut = False
        self.connections = 0
        self._sockets = []

    def route(self, page):
        page.route_web_socket("**/ws", self._open)

    def _open(self, socket):
        self.connections += 1
        if self.cut:
            socket.close(code=1012, reason="the server restarts")
            return
        server = socket.connect_to_server()
        self._sockets.append((socket, server))

    def break_off(self):
        self.cut = True
        for socket, server in self._sockets:
            socket.close(code=1012, reason="the server restarts")
            server.close()
        self._sockets.clear()


@pytest.fixture
def line():
    return Line()


def frames_after(page, seconds):
    """How many frames the stage has displayed in the next seconds."""
    stage = page.locator(".stage")
    before = int(stage.get_attribute("data-frames"))
    page.wait_for_timeout(1000 * seconds)
    return int(stage.get_attribute("data-frames")) - before


@pytest.mark.nightly
def test_the_display_goes_on_while_the_server_is_away(open_studio, line, screenshot):
    """The clip goes on in the last light; after the server's return a new light comes, without a reload."""
    page = open_studio(prepare=line.route)
    page.get_by_label("Source").select_option("clip")
    expect(page.locator(LIT)).to_be_visible()
    expect(page.locator("[data-reading=rate]")).to_have_text(re.compile(r"^\d+ frames? a second$"))
    line.break_off()
    expect(page.locator("[data-reading=state]")).to_have_text("reconnecting …")
    assert frames_after(page, 3) >= 3
    expect(page.locator(LIT)).to_be_visible()
    screenshot(page, "tryon-away")
    answers = page.locator("[data-reading=count]")
    line.cut = False
    expect(page.locator("[data-reading=state]")).to_have_text("connected")
    before = answers.text_content()
    expect(answers).not_to_have_text(before)
    assert line.connections > 1


@pytest.mark.nightly
def test_a_server_that_cannot_be_reached_is_told_once_and_forgotten(open_studio):
    """The banner said it anew at each attempt, and still when the server was back."""
    page = open_studio(prepare=lambda page: page.add_init_script(AWAY), forgiven="WebSocket connection to")
    expect(page.locator(LIT)).to_be_visible()
    page.evaluate(
        """() => {
          window.told = [];
          const note = document.querySelector(".stage-note");
          new MutationObserver(() => told.push(note.textContent)).observe(note, { childList: true });
          window.away = true;
          sockets.forEach((socket) => socket.close());
        }"""
    )
    expect(page.locator("[data-reading=state]")).to_have_text("reconnecting …")
    until(page, "attempts > 2")
    expect(page.locator("#banner")).to_be_hidden()
    assert page.evaluate("told") == ["There is no connection to the server. Trying again …"]
    page.evaluate("window.away = false")
    expect(page.locator("[data-reading=state]")).to_have_text("connected")
    expect(page.locator(".stage-note")).to_be_hidden()


@pytest.mark.nightly
def test_a_picture_goes_with_the_connection(open_studio, line):
    """It would show the person as they were."""
    page = open_studio(prepare=line.route)
    page.get_by_label("Answer").select_option("picture")
    expect(page.locator(".stage[data-right=picture]")).to_be_visible()
    line.break_off()
    expect(page.locator(".stage[data-right=render]")).to_be_visible()


@pytest.mark.nightly
def test_picture_and_light_beside_each_other(open_studio, screenshot):
    """Each moment is asked for both, and the border moves by keyboard and by mouse."""
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    page.get_by_label("Answer").select_option("both")
    expect(page.locator(".stage.answered[data-left=picture][data-right=light]")).to_be_visible()
    kinds = [message.get("answer", "picture") for _, message in frames.sent]
    assert {"picture", "light"} <= set(kinds)
    border = page.get_by_role("slider", name="Border between picture and light")
    border.press("Home")
    expect(border).to_have_attribute("aria-valuetext", "0 percent picture")
    for _ in range(3):
        border.press("ArrowRight")
    expect(border).to_have_attribute("aria-valuetext", "3 percent picture")
    stage = page.locator(".stage").bounding_box()
    page.mouse.move(stage["x"] + 0.03 * stage["width"], stage["y"] + stage["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.6 * stage["width"], stage["y"] + stage["height"] / 2, steps=4)
    page.mouse.up()
    share = int(re.match(r"\d+", border.get_attribute("aria-valuetext"))[0])
    assert 50 < share < 70
    assert severe_findings(page) == []
    screenshot(page, "tryon-both")


@pytest.mark.nightly
def test_live_sends_the_next_keyframe_when_the_answer_comes(open_studio):
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    page.get_by_label("Source").select_option("clip")
    page.get_by_label("Keyframes").select_option("live")
    expect(page.locator(LIT)).to_be_visible()
    deadline = time.monotonic() + WITHIN_MS / 1000
    while sum(message.get("answer") == "light" for _, message in frames.received) < 6:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    sent, received = len(frames.sent), len(frames.received)
    assert sent - received in (0, 1, 2)  # one is in flight; events come in any order
    made = [message for _, message in frames.received if message.get("mode") == "ai_enhanced"]
    assert {message["steps"] for message in made} == {0}, "the light reader alone, without a diffused picture"
    expect(page.locator("[data-reading=mode]")).to_have_text(re.compile("^model$|reused"))


@pytest.mark.nightly
def test_a_tab_in_the_background_sends_nothing(open_studio):
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    page.get_by_label("Keyframes").select_option("live")
    expect(page.locator(LIT)).to_be_visible()

    def hide(hidden):
        page.evaluate(
            """(hidden) => {
              Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    hide(True)
    page.wait_for_timeout(1500)  # what was under way is sent and answered
    before = len(frames.sent)
    page.wait_for_timeout(1500)
    assert len(frames.sent) == before
    hide(False)
    frames.wait(page, lambda _, message: message["answer"] == "light")
    expect(page.locator(LIT)).to_be_visible()
