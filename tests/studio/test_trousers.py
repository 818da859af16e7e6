"""Trousers under the jacket: two garments in one keyframe and one capture."""

import re

import pytest
from playwright.sync_api import expect

from tests.studio.test_tryon import Frames, picture


@pytest.mark.nightly
def test_a_drawn_figure_wears_jacket_and_trousers(open_studio, screenshot):
    """The sample portrait shows no legs."""
    frames = Frames()
    page = open_studio(prepare=frames.watch)
    expect(page.locator(".stage.answered")).to_be_visible()
    page.get_by_label("Trousers").select_option(label="Blue denim")
    expect(page.get_by_label("Source")).to_have_value("figure")
    expect(page.locator("#status")).to_have_text(re.compile("shows no legs"))
    page.get_by_role("radio", name="Navy wool").check(force=True)

    page.get_by_label("Answer").select_option("picture")
    sent = frames.wait(page, lambda _, message: "garments" in message)
    assert "jacket_render" not in sent
    jacket, trousers = sent["garments"]
    assert picture(jacket["jacket_render"]) == picture(trousers["jacket_render"]) == b"\x89P"
    assert (jacket["layer"], trousers["layer"]) == (1, 0)
    assert (jacket["fabric_id"], trousers["fabric_id"]) == ("wool-navy", "denim-blue")
    expect(page.locator(".stage[data-left=render][data-right=picture]")).to_be_visible()
    answers = [it for _, it in frames.received if it.get("garments")]
    assert [it["painted"] for it in answers[-1]["garments"]] == [True, True]
    assert answers[-1]["garments"][1]["hidden_by"] == [0]
    page.get_by_role("slider").fill("0")
    screenshot(page, "trousers")

    page.get_by_role("tab", name="Capture").click()
    page.get_by_role("button", name="Capture", exact=True).click()
    expect(page.locator(".capture-state")).to_have_text(re.compile("^Done: 25 steps"))
    screenshot(page, "trousers-capture")

    page.get_by_role("tab", name="Try on").click()
    page.get_by_label("Trousers").select_option(label="none")
    frames.wait(page, lambda _, message: message.get("jacket_render"))
