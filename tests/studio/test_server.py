"""Server: its health, and charts that grow while they are looked at."""

import re

import pytest
from playwright.sync_api import expect


@pytest.mark.nightly
def test_charts_show_what_another_page_does(open_studio, screenshot):
    polls = []
    other = open_studio()
    expect(other.locator(".stage.answered")).to_be_visible()
    other.get_by_label("Keyframes").select_option("live")

    def prepare(page):
        page.clock.install()
        page.on("request", lambda request: polls.append(request.url))

    page = open_studio("server", prepare=prepare)
    expect(page.locator(".health")).to_have_text("Healthy")
    facts = page.locator(".server-health dl")
    expect(facts).to_contain_text("Modelready")
    expect(facts).to_contain_text("Profilecpu")
    expect(page.get_by_role("row", name="tryon")).to_be_visible()
    expect(page.get_by_role("img", name="Keyframes answered")).to_have_attribute(
        "aria-label", re.compile(r"now (0\.[1-9]|[1-9])")
    )
    expect(page.get_by_role("img", name="Latency of a keyframe")).to_have_attribute(
        "aria-label", re.compile(r"p50 \d+ ms, p95 \d+ ms")
    )
    expect(page.locator(".chart .line-0").first).to_have_attribute("d", re.compile("L"))
    screenshot(page, "server")

    page.locator("#tab-capture").click()
    expect(page.locator("#panel-server")).to_be_hidden()
    before = polled(polls)
    page.clock.fast_forward(10_000)
    page.evaluate("fetch('/health/live').then((answer) => answer.text())")
    assert any(url.endswith("/health/live") for url in polls)
    assert polled(polls) == before  # nobody looks


def polled(urls):
    return sum(url.endswith("/metrics") for url in urls)
