"""Fabrics: found in the catalog, scanned from a photo, saved, worn, deleted."""

import time

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.studio.cloth import CORNERS, SIZE, photograph
from tests.studio.conftest import WITHIN_MS


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    return photograph(tmp_path_factory.mktemp("photo") / "attic_plaid.jpg")


def test_search_by_text_and_tag(open_studio):
    page = open_studio("fabrics")
    entries = page.locator(".fabric-grid li")
    expect(entries).not_to_have_count(0)
    page.get_by_label("Search").fill("plaid")
    expect(entries).to_have_count(1)
    expect(page.locator("[data-fabric=flannel-plaid]")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Tag").select_option("jeans")
    expect(entries).to_have_count(1)
    page.locator("[data-fabric=denim-blue] .fabric").click()
    expect(page.locator("[data-fabric=denim-blue] .fabric")).to_have_attribute("aria-pressed", "true")


def test_the_light_moves_until_it_is_stopped(open_studio):
    page = open_studio("fabrics", reduced_motion="no-preference")
    cloth = page.locator(".tile-stage canvas[data-fabric]")
    expect(cloth).to_be_visible()
    seen = cloth.screenshot()
    deadline = time.monotonic() + WITHIN_MS / 1000
    while cloth.screenshot() == seen:
        assert time.monotonic() < deadline
    page.get_by_role("button", name="Stop the light").click()
    expect(page.get_by_role("button", name="Move the light")).to_be_visible()


def test_a_photo_becomes_a_fabric_of_the_catalog(open_studio, screenshot, photo):
    page = open_studio("fabrics")
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(photo)
    state = page.locator(".scan-state")
    expect(state).to_have_text("The cloth's corners were found.")
    expect(page.locator(".maps li")).to_have_count(6)
    expect(page.locator(".tile-stage canvas[data-fabric^=custom-]")).to_be_visible()
    expect(page.locator(".advice")).to_be_visible()
    found = corners(page)
    assert np.abs(found - CORNERS / SIZE).max() < 0.03
    screenshot(page, "fabrics-scan")

    first, second = (
        page.get_by_role("button", name=name) for name in ("Top left corner", "Bottom right corner")
    )
    for _ in range(2):
        first.press("Shift+ArrowRight")
    box = second.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 40, box["y"] - 40, steps=3)
    page.mouse.up()
    moved = corners(page)
    assert moved[0, 0] == pytest.approx(found[0, 0] + 0.1, abs=0.01)
    assert (moved[2] < found[2] - 0.05).all()
    assert (moved[[1, 3]] == found[[1, 3]]).all()
    page.get_by_role("button", name="Scan again").click()
    expect(state).to_have_text("Scanned within your corners.")
    assert (corners(page) == moved).all()

    page.get_by_label("Name").fill("Attic plaid")
    page.get_by_label("Kind of cloth").select_option("flannel")
    page.get_by_role("button", name="Save to the catalog").click()
    expect(state).to_have_text("“Attic plaid” is in the catalog.")
    page.get_by_role("button", name="Try it on").click()
    expect(page.locator("#panel-tryon .chosen")).to_have_text("Attic plaid")
    expect(page.locator(".stage.answered")).to_be_visible()

    page.locator("#tab-fabrics").click()
    saved = page.locator(".fabric-grid li", has_text="Attic plaid")
    expect(saved).to_have_count(1)
    page.get_by_role("button", name="Delete Attic plaid").click()
    page.get_by_role("button", name="Delete it").click()
    expect(saved).to_have_count(0)


def test_another_file_is_refused_with_an_explanation(open_studio, tmp_path):
    page = open_studio("fabrics", forgiven="400")
    path = tmp_path / "notes.jpg"
    path.write_text("not a photo")
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(path)
    expect(page.locator(".scan-state.problem")).not_to_be_empty()


def corners(page):
    """(4, 2), the handles' places as shares of the photo."""
    places = page.locator(".corner").evaluate_all("all => all.map(({ style }) => [style.left, style.top])")
    return np.array([[float(value.rstrip("%")) / 100 for value in place] for place in places])
