"""Try on: what the page sends over its WebSocket, and what it makes of the answers."""

import json
import re

import msgpack
from playwright.sync_api import expect


class Frames:
    """The messages of a page's WebSockets, decoded, oldest first."""

    def __init__(self):
        self.sent, self.received = [], []

    def watch(self, page):
        page.on("websocket", self._follow)

    def _follow(self, socket):
        socket.on("framesent", lambda data: self.sent.append(self._decoded(data)))
        socket.on("framereceived", lambda data: self.received.append(self._decoded(data)))

    @staticmethod
    def _decoded(data):
        if isinstance(data, str):
            return "json", json.loads(data)
        return "msgpack", msgpack.unpackb(data)


def picture(value):
    """The bytes that a picture begins with, however it travels."""
    return value[:23] if isinstance(value, str) else value[:2]


def test_keyframes_go_out_and_photographs_come_in(open_studio, screenshot):
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    answers = page.locator("[data-reading=count]")
    expect(page.locator(".stage.answered")).to_be_visible()
    expect(page.locator("[data-reading=mode]")).to_have_text(re.compile("^model"))
    expect(page.locator("[data-reading=roundTrip]")).to_have_text(re.compile(r"^\d+ ms$"))
    protocol, sent = frames.sent[0]
    assert protocol == "msgpack"
    assert sent["type"] == "keyframe"
    assert picture(sent["camera_frame"]) == b"\xff\xd8"
    assert picture(sent["jacket_render"]) == b"\x89P"
    assert len(sent["pose"]["landmarks"]) == 33
    answer = next(message for _, message in frames.received if message["type"] == "keyframe_result")
    assert answer["mode"] == "ai_enhanced"
    assert picture(answer["image"]) == b"\xff\xd8"
    screenshot(page, "tryon")

    slider = page.get_by_role("slider")
    for key, share in (("Home", 0), ("End", 100)):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", re.compile(f"^{share} "))

    page.get_by_label("Sent as").select_option("json")
    expect(answers).to_have_text(re.compile("^1"))  # of the new session
    protocol, sent = frames.sent[-1]
    assert protocol == "json"
    assert picture(sent["camera_frame"]) == "data:image/jpeg;base64,"

    page.get_by_label("Keyframes").select_option("fast")
    page.get_by_role("radio", name="Tan suede").check(force=True)
    expect(page.locator(".chosen")).to_have_text("Tan suede")
    expect(answers).to_have_text(re.compile(r"^([4-9]|\d\d)"))
    assert frames.sent[-1][1]["fabric_id"] == "suede-tan"


def test_the_camera_is_searched_for_a_person(open_studio, screenshot):
    """Chromium's test picture has nobody in it, so no keyframe is sent."""
    page = open_studio()
    page.get_by_label("Picture").select_option("camera")
    expect(page.locator("[data-reading=pose]")).to_have_text("nobody found")
    screenshot(page, "tryon-camera")


def test_without_a_camera_it_says_so_and_shows_the_portrait(open_studio):
    deny = (
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); };"
    )
    page = open_studio(prepare=lambda page: page.add_init_script(deny))
    page.get_by_label("Picture").select_option("camera")
    expect(page.locator(".stage-note")).to_contain_text("No camera was found.")
    expect(page.get_by_label("Picture")).to_have_value("portrait")
