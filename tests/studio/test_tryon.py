"""Try on: what the page sends over its WebSocket, and what it makes of the answers."""

import json
import re
import time

import httpx
import msgpack
import pytest
from playwright.sync_api import expect

from tests.studio.conftest import WITHIN_MS

MARKS = "**/studio/portrait.json"  # of the sample portrait; a page counts as loaded without them


class Frames:
    """The messages of a page's WebSockets, decoded, oldest first."""

    def __init__(self):
        self.sent, self.received = [], []

    def watch(self, page):
        page.on("websocket", self._follow)

    def wait(self, page, wanted):
        """The next message sent that `wanted(protocol, message)`, whatever was sent before."""
        seen = len(self.sent)
        deadline = time.monotonic() + WITHIN_MS / 1000
        while True:
            for protocol, message in self.sent[seen:]:
                if wanted(protocol, message):
                    return message
            assert time.monotonic() < deadline, "no such keyframe was sent"
            page.wait_for_timeout(50)  # Playwright's events come meanwhile

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
    expect(page.locator(".stage.answered")).to_be_visible()
    expect(page.locator("[data-reading=mode]")).to_have_text(re.compile("^model"))
    expect(page.locator("[data-reading=roundTrip]")).to_have_text(re.compile(r"^\d+ ms$"))
    protocol, sent = frames.sent[0]
    assert protocol == "msgpack"
    assert sent["type"] == "keyframe"
    assert sent["answer"] == "light"
    assert picture(sent["camera_frame"]) == picture(sent["jacket_render"]) == b"RI"  # WebP
    assert len(sent["pose"]["landmarks"]) == 33
    answers = [message for _, message in frames.received if message.get("mode") == "ai_enhanced"]
    assert {message["type"] for message in answers} == {"keyframe_result"}
    assert {message["answer"] for message in answers} == {"light"}
    assert picture(answers[0]["light"]) == b"RI"
    assert max(len(msgpack.packb(message)) for message in answers) <= 4096
    expect(page.locator(".stage[data-right=light]")).to_be_visible()

    page.get_by_label("Answer").select_option("picture")
    sent = frames.wait(page, lambda _, message: "answer" not in message)
    assert picture(sent["camera_frame"]) == b"\xff\xd8"
    assert picture(sent["jacket_render"]) == b"\x89P"
    expect(page.locator(".stage[data-left=render][data-right=picture]")).to_be_visible()

    slider = page.get_by_role("slider")
    for key, share in (("Home", 0), ("End", 100)):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", re.compile(f"^{share} "))

    page.get_by_label("Sent as").select_option("json")
    sent = frames.wait(page, lambda protocol, _: protocol == "json")
    assert picture(sent["camera_frame"]) == "data:image/jpeg;base64,"

    page.get_by_label("Keyframes").select_option("live")
    page.get_by_role("radio", name="Black leather").check(force=True)
    expect(page.locator(".chosen")).to_have_text("Black leather")
    frames.wait(page, lambda _, message: message["fabric_id"] == "leather-black")
    expect(page.locator("[data-reading=count]")).to_have_text(re.compile(r"^([4-9]|\d\d)"))
    slider.fill("50")
    expect(page.locator(".stage.answered")).to_be_visible()
    screenshot(page, "tryon")


def test_a_person_before_the_camera_is_found_and_dressed(open_studio, screenshot):
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    page.get_by_label("Source").select_option("camera")
    expect(page.locator("[data-reading=pose]")).to_have_text(re.compile(r"^MediaPipe, \d+ ms$"))
    landmarks = frames.wait(page, lambda _, message: message["pose"]["landmarks"])["pose"]["landmarks"]
    expect(page.locator(".stage.mirrored.answered")).to_be_visible()
    nose, left_shoulder, right_shoulder = landmarks[0], landmarks[11], landmarks[12]
    assert right_shoulder["x"] < nose["x"] < left_shoulder["x"]
    assert nose["y"] < left_shoulder["y"]
    screenshot(page, "tryon-camera")


@pytest.mark.nightly
def test_without_a_camera_it_says_so_and_shows_the_portrait(open_studio):
    deny = (
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); };"
    )
    page = open_studio(prepare=lambda page: page.add_init_script(deny))
    page.get_by_label("Source").select_option("camera")
    expect(page.locator(".stage-note")).to_contain_text("No camera was found.")
    expect(page.get_by_label("Source")).to_have_value("portrait")


@pytest.mark.nightly
def test_another_source_may_be_chosen_before_the_first_is_there(open_studio):
    """Every capture failed then, until the page was loaded anew."""
    held = []
    page = open_studio(prepare=lambda page: page.route(MARKS, lambda route: held.append(route)))
    page.get_by_label("Source").select_option("clip")
    while len(held) < 2:
        page.wait_for_timeout(50)
    for route in held:
        with page.expect_response(MARKS):
            route.continue_()
    expect(page.locator(".stage.answered")).to_be_visible()
    page.get_by_role("tab", name="Capture").click()
    expect(page.get_by_alt_text("The picture to capture")).to_be_visible()


@pytest.mark.nightly
def test_a_source_that_could_not_be_loaded_is_tried_again(open_studio):
    page = open_studio(
        prepare=lambda page: page.route(MARKS, lambda route: route.abort(), times=1), forgiven="ERR_FAILED"
    )
    expect(page.locator(".stage-note")).to_have_text("The sample portrait could not be loaded.")
    page.get_by_role("tab", name="Capture").click()
    expect(page.get_by_alt_text("The picture to capture")).to_be_visible()


@pytest.mark.nightly
def test_a_fit_that_failed_does_not_stop_the_next(open_studio):
    """The jacket stood still until the page was opened again."""
    fault = """
      const { drawImage } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.drawImage = function (picture, ...places) {
        if (window.fault && picture.getContext?.("webgl2")) throw new Error("the jacket is not drawn");
        return drawImage.call(this, picture, ...places);
      };
    """
    frames = Frames()

    def prepare(page):
        page.add_init_script(fault)
        frames.watch(page)

    page = open_studio(prepare=prepare)
    page.get_by_label("Source").select_option("clip")
    expect(page.locator(".stage[data-right=light]")).to_be_visible()
    page.evaluate("window.fault = true")
    note = page.locator(".stage-note")
    expect(note).to_have_text("The jacket is not drawn.")
    nose = frames.wait(page, lambda *_: True)["pose"]["landmarks"][0]
    page.evaluate("window.fault = false")
    expect(note).to_be_hidden()
    frames.wait(page, lambda _, message: message["pose"]["landmarks"][0] != nose)


@pytest.mark.nightly
def test_a_jacket_whose_fabric_could_not_be_loaded_gets_it_later(open_studio, stack):
    """It stayed without one."""
    asked = []

    def refuse_once(route):
        asked.append(route)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    cloth = httpx.get(f"{stack.url}/api/fabric/denim-blue").json()["fabric"]["diffuseUrl"]
    page = open_studio(prepare=lambda page: page.route(cloth, refuse_once), forgiven="ERR_FAILED")
    expect(page.locator(".stage.answered")).to_be_visible()
    assert len(asked) == 2


@pytest.mark.nightly
def test_a_picture_that_cannot_be_made_does_not_stop_the_next(open_studio):
    fail = """
      const { convertToBlob } = OffscreenCanvas.prototype;
      let tries = 0;
      OffscreenCanvas.prototype.convertToBlob = async function (...options) {
        if ((tries += 1) === 1) throw new Error("no memory is left");
        return convertToBlob.apply(this, options);
      };
    """
    page = open_studio(prepare=lambda page: page.add_init_script(fail))
    expect(page.locator("#banner")).to_contain_text("No memory is left.")
    expect(page.locator(".stage.answered")).to_be_visible()
