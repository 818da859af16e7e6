"""Capture: streamed, downloaded, cancelled, refused."""

import re
import time

import cv2
import httpx
import pytest
from playwright.sync_api import expect
from pxr import Usd, UsdGeom, UsdValidation

from tests.e2e.test_http import capture
from tests.fabric.packs.test_gltf import validate  # noqa: F401
from tests.studio.conftest import WITHIN_MS


@pytest.fixture
def api(stack):
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client


def metric(api, sample):
    """The value of a sample as /metrics writes it, 0 where there is none."""
    lines = api.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(sample + " "))


def start(page):
    page.get_by_role("button", name="Capture", exact=True).click()


def watch(page, screenshot):
    """A capture with a preview. One that is not ready before the last step is never sent: a busy machine may
    need several captures."""
    preview, state = page.locator(".capture-preview"), page.locator(".capture-state")
    for _ in range(5):
        start(page)
        expect(state).to_have_text(re.compile(r"Step \d+ of \d+"))
        screenshot(page, "capture-progress")
        expect(state).to_have_text(re.compile(r"^Done: \d+ steps"))
        if source := preview.get_attribute("src"):
            assert source.startswith("data:image/jpeg")
            return
    pytest.fail("five captures without a preview")


@pytest.mark.nightly
def test_two_samples_are_watched_and_downloaded(open_studio, screenshot):
    page = open_studio("capture")
    page.get_by_label("Samples").select_option("2")
    page.get_by_label("Seed").fill("7")
    watch(page, screenshot)
    samples = page.locator(".capture-results li")
    expect(samples).to_have_count(2)
    expect(samples).to_have_text([re.compile("^Seed 7"), re.compile("^Seed 8")])
    pixels = []
    for number in (1, 2):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Download sample {number}").click()
        assert download.value.suggested_filename == f"capture-{6 + number}.png"
        pixels.append(cv2.imread(str(download.value.path())))
    assert pixels[0].shape == pixels[1].shape
    assert (pixels[0] != pixels[1]).any()
    screenshot(page, "capture-samples")


@pytest.mark.nightly
def test_the_jacket_on_a_bust_is_taken_away_as_a_file(open_studio, validate, tmp_path):  # noqa: F811
    """With the shopper's proportions; each format's own validator finds nothing."""
    page = open_studio("capture")
    start(page)
    files = {}
    for button, end in (("Dressed bust (glTF)", "glb"), ("Dressed bust (USD)", "usdz")):
        with page.expect_download(timeout=WITHIN_MS) as download:
            page.get_by_role("button", name=button).click(timeout=WITHIN_MS)
        assert download.value.suggested_filename.endswith(f"-bust.{end}")
        files[end] = tmp_path / f"bust.{end}"
        download.value.save_as(files[end])
    content = files["glb"].read_bytes()
    assert validate(content)["messages"] == []
    assert b'"Bust"' in content

    stage = Usd.Stage.Open(str(files["usdz"]))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert UsdValidation.ValidationContext(validators).Validate(stage) == []
    bounds = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"])
    size = bounds.ComputeWorldBound(stage.GetDefaultPrim()).GetRange().GetSize()
    assert 0.5 < size[0] < 1.2, "a person's width in metres"
    assert 0.7 < size[1] < 1.1, "from the jacket's hem to the top of the head"


@pytest.mark.nightly
def test_cancel_frees_the_model_too(open_studio, api):
    cancelled = 'lucy_jobs_total{mode="capture",outcome="cancelled"}'
    before = metric(api, cancelled)
    page = open_studio("capture")
    start(page)
    expect(page.locator(".capture-state")).to_have_text(re.compile(r"Step \d+ of \d+"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".capture-state")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Capture", exact=True)).to_be_enabled()
    deadline = time.monotonic() + WITHIN_MS / 1000
    while metric(api, cancelled) == before:
        assert time.monotonic() < deadline


@pytest.mark.nightly
def test_the_keyboard_s_focus_goes_with_the_buttons(open_studio):
    """A button that is disabled loses it."""
    page = open_studio("capture")
    begin, cancel = (page.get_by_role("button", name=name, exact=True) for name in ("Capture", "Cancel"))
    begin.press("Enter")
    expect(cancel).to_be_focused()
    cancel.press("Enter")
    expect(begin).to_be_focused()
    expect(cancel).to_be_disabled()


@pytest.mark.nightly
def test_a_full_server_says_when_to_try_again(open_studio, api):
    page = open_studio("capture", forgiven="429")
    page.get_by_label("Samples").select_option("4")
    running = []
    try:
        for samples in (4, 2):  # one caller's share of eight places, for longer than the page takes to ask
            body = capture("transparent_no_pose", num_samples=samples, steps=50)
            running.append(api.post("/virtual-tryon", json=body, headers={"Prefer": "respond-async"}).json())
        start(page)
        expect(page.get_by_role("alert").filter(has_text="Try again in")).to_be_visible()
    finally:
        for one in running:
            api.delete(f"/virtual-tryon/{one['result_id']}")
