"""The camera: what the page does when it is not there, ends, or cannot be shown."""

import pytest
from playwright.sync_api import expect

from tests.studio.conftest import KEEP_CAMERA

PLAYS_NOTHING = """
  HTMLMediaElement.prototype.play = async () => { throw new DOMException("", "NotAllowedError"); };
"""


def camera(open_studio, *scripts):
    def prepare(page):
        for script in scripts:
            page.add_init_script(script)

    page = open_studio(prepare=prepare)
    page.get_by_label("Source").select_option("camera")
    return page


@pytest.mark.nightly
def test_a_camera_that_stops_gives_way_to_the_portrait(open_studio):
    """Its last picture stood still, and the page said that nobody was in it."""
    page = camera(open_studio, KEEP_CAMERA)
    expect(page.locator(".stage.mirrored.answered")).to_be_visible()
    page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.locator(".stage-note")).to_have_text(
        "The camera has stopped. Showing the sample portrait instead."
    )
    expect(page.get_by_label("Source")).to_have_value("portrait")
    expect(page.locator(".stage.answered:not(.mirrored)")).to_be_visible()


@pytest.mark.nightly
def test_a_camera_whose_picture_is_not_played_goes_off(open_studio):
    """A phone that saves its battery plays nothing; the camera's light stayed on."""
    page = camera(open_studio, KEEP_CAMERA, PLAYS_NOTHING)
    expect(page.locator(".stage-note")).to_contain_text("The browser does not show the camera's picture.")
    assert page.evaluate("stream.getTracks().map((track) => track.readyState)") == ["ended"]
