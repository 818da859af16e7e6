"""Capture: streamed, downloaded, cancelled, refused."""

import re
import time

import cv2
import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.test_http import capture
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


def test_two_samples_are_watched_and_downloaded(open_studio, screenshot):
    page = open_studio("capture")
    page.get_by_label("Samples").select_option("2")
    page.get_by_label("Seed").fill("7")
    start(page)
    expect(page.locator(".capture-state")).to_have_text(re.compile(r"Step \d+ of \d+"))
    expect(page.locator(".capture-preview")).to_have_attribute("src", re.compile("^data:image/jpeg"))
    screenshot(page, "capture-preview")
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
    expect(page.locator(".capture-state")).to_have_text(re.compile(r"^Done: \d+ steps"))
    screenshot(page, "capture-samples")


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


def test_a_full_server_says_when_to_try_again(open_studio, api):
    page = open_studio("capture", forgiven="429")
    body = capture("transparent_no_pose", num_samples=4)
    running = [api.post("/virtual-tryon", json=body, headers={"Prefer": "respond-async"}) for _ in range(2)]
    try:
        page.get_by_label("Samples").select_option("4")
        start(page)
        expect(page.get_by_role("alert").filter(has_text="Try again in")).to_be_visible()
    finally:
        for answer in running:
            api.delete(f"/virtual-tryon/{answer.json()['result_id']}")
