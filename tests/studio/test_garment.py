"""A photo of a garment instead of the jacket, and the licence of the checkpoint that wears it."""

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.studio.test_page import severe_findings
from tests.studio.test_tryon import Frames, picture

PHOTO = Path("tests/data/trials/cut_out.png")


@pytest.mark.nightly
def test_a_photo_takes_the_jackets_place(open_studio, screenshot):
    """lucy-tiny cannot use it: the page says so, and the jacket can be worn again."""
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    expect(page.locator("[data-reading=mode]")).to_have_text(re.compile("^model"))
    page.get_by_label("A photo of the garment").set_input_files(PHOTO)
    expect(page.locator(".garment-photo")).to_be_visible()
    sent = frames.wait(page, lambda _, message: "garment_image" in message)
    assert picture(sent["garment_image"]) == b"\xff\xd8"
    assert sent["category"] == "auto"
    assert "jacket_render" not in sent
    expect(page.locator("[data-reading=mode]")).to_have_text(re.compile("^fallback: .*photo of a garment"))
    assert severe_findings(page) == []
    screenshot(page, "garment")

    page.get_by_label("It is a").select_option("one-pieces")
    frames.wait(page, lambda _, message: message.get("category") == "one-pieces")
    page.get_by_label("Sent as").select_option("json")
    sent = frames.wait(page, lambda protocol, _: protocol == "json")
    assert picture(sent["garment_image"]) == "data:image/jpeg;base64,"

    page.locator("#tab-capture").click()
    page.get_by_role("button", name="Capture", exact=True).click()
    expect(page.locator(".capture-state")).to_contain_text("The model was not used: this checkpoint")

    page.locator("#tab-tryon").click()
    page.get_by_role("button", name="Wear the jacket").click()
    expect(page.locator(".garment-photo")).to_be_hidden()
    sent = frames.wait(page, lambda _, message: "jacket_render" in message)
    assert "garment_image" not in sent


@pytest.mark.nightly
def test_a_file_that_is_no_picture_is_not_worn(open_studio, tmp_path):
    page = open_studio()
    notes = tmp_path / "notes.pdf"
    notes.write_bytes(b"%PDF-1.4")
    chooser = page.get_by_label("A photo of the garment")
    chooser.set_input_files(notes)
    expect(page.locator("#banner")).to_contain_text("This file is not a picture")
    expect(page.get_by_role("button", name="Wear the jacket")).to_be_hidden()
    chooser.set_input_files(PHOTO)
    expect(page.locator(".garment-photo")).to_be_visible()
    expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.nightly
def test_a_photo_that_the_server_refuses_is_not_sent_again_at_once(open_studio, tmp_path):
    """It was sent forty times a second, and the banner was read as often."""
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    expect(page.locator(".stage.answered")).to_be_visible()
    page.get_by_label("Keyframes").select_option("live")
    page.evaluate(
        """() => {
          window.told = 0;
          const banner = document.getElementById("banner");
          new MutationObserver(() => (told += 1)).observe(banner, { childList: true });
        }"""
    )
    photo = tmp_path / "coat.heic"  # the browser cannot tell that it is none
    photo.write_bytes(b"not a photo")
    page.get_by_label("A photo of the garment").set_input_files(photo)
    expect(page.locator("#banner")).to_contain_text("is not a readable")
    expect(page.locator(".garment-photo")).to_be_hidden()
    before = len(frames.sent)
    page.wait_for_timeout(4000)
    assert 1 <= len(frames.sent) - before <= 3
    assert page.evaluate("told") == 1
    page.get_by_role("button", name="Wear the jacket").click()
    expect(page.locator("#banner")).to_be_hidden()


def test_a_licence_that_forbids_commerce_stands_on_every_tab(open_studio, stack):
    licence = {"name": "CC BY-NC-SA 4.0", "commercial": False, "note": "its pictures must not be sold."}
    named = {"family": "CatVTON", "licence": licence, "stand_ins": ["A drawing stands in for DensePose."]}
    health = httpx.get(f"{stack.url}/health").json()
    body = json.dumps(health | {"model": health["model"] | named})

    def answered(page):
        page.route("**/health", lambda route: route.fulfill(body=body, content_type="application/json"))

    page = open_studio("server", prepare=answered)
    line = page.locator("#licence")
    expect(line).to_have_text(
        "CatVTON is not for commercial use (CC BY-NC-SA 4.0): its pictures must not be sold."
    )
    facts = page.locator(".server-health dl")
    for text in ("FamilyCatVTON", "LicenceCC BY-NC-SA 4.0", "Stand-insA drawing stands in for DensePose."):
        expect(facts).to_contain_text(text)
    page.locator("#tab-tryon").click()
    expect(line).to_be_visible()
    assert severe_findings(page) == []


def test_a_licence_that_allows_commerce_takes_no_line(open_studio):
    page = open_studio("server")
    expect(page.locator(".server-health dl")).to_contain_text("FamilyStable Diffusion inpainting")
    expect(page.locator("#licence")).to_be_hidden()
