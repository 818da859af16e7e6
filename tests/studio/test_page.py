"""The page as a whole: quick, usable without a mouse, and by a screen reader, wide and narrow."""

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.studio.conftest import DESKTOP, PHONE

READY = {  # what each tab shows once it is filled
    "tryon": ".stage.answered",
    "capture": ".capture-stage",
    "fabrics": ".tile-stage canvas[data-fabric]",
    "server": ".health.good",
}
SIDEWAYS = {"width": 844, "height": 390}
SEVERE = {"serious", "critical"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("name", "viewport", "colours"), [("desktop", DESKTOP, "light"), ("phone", PHONE, "dark")]
)
def test_each_tab_by_keyboard_and_without_a_serious_finding(
    open_studio, screenshot, record_property, name, viewport, colours
):
    began = time.monotonic()
    page = open_studio(viewport=viewport, color_scheme=colours)
    expect(page.get_by_role("radio").first).to_be_attached()  # the catalog's fabrics
    # Only recorded: how busy the machine is says more than the page.
    record_property("usable_s", round(time.monotonic() - began, 2))
    print(f"the studio can be used after {time.monotonic() - began:.2f} s")
    for tab, ready in READY.items():
        expect(page.locator(f"#panel-{tab}")).to_be_visible()
        expect(page.locator(ready)).to_be_visible()
        assert severe_findings(page) == []
        screenshot(page, f"{name}-{tab}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{tab} is too wide"
        page.locator(f"#tab-{tab}").press("ArrowRight")
    expect(page.locator("#panel-tryon")).to_be_visible()  # the tabs go round


@pytest.mark.nightly
def test_the_key_is_used_by_enter_and_kept_by_escape(open_studio):
    """Enter pressed Cancel, and Escape used what was typed after an earlier key."""
    page = open_studio("server")
    key = page.get_by_label("Key or token")
    for typed, pressed, used in (("first", "Enter", "first"), ("second", "Escape", "first")):
        page.get_by_role("button", name="API key").click()
        key.fill(typed)
        key.press(pressed)
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert page.evaluate("sessionStorage.getItem('lucy-api-key')") == used
    page.get_by_role("button", name="API key").click()
    key.fill("third")
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("sessionStorage.getItem('lucy-api-key')") == "first"


@pytest.mark.nightly
@pytest.mark.parametrize("tab", ["nowhere", "toString"])
def test_an_unknown_tab_is_the_first(open_studio, tab):
    page = open_studio(tab)
    expect(page.locator("#panel-tryon")).to_be_visible()


@pytest.mark.nightly
def test_picture_and_slider_fit_on_a_phone_held_sideways(open_studio, screenshot):
    """The picture was as wide as the page and twice as tall as the window."""
    page = open_studio(viewport=SIDEWAYS)
    expect(page.locator(".stage.answered")).to_be_visible()
    box = page.locator(".stage").bounding_box()
    assert box["y"] + box["height"] <= SIDEWAYS["height"]
    assert box["height"] > SIDEWAYS["height"] / 2, "it is too small to see anything"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screenshot(page, "phone-sideways-tryon")


def severe_findings(page):
    """Rule and element of each."""
    found = Axe().run(page).response["violations"]
    return [
        (rule["id"], node["html"]) for rule in found if rule["impact"] in SEVERE for node in rule["nodes"]
    ]
